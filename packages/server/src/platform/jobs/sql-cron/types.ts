/** Who owns the schedules that `cron.schedule` makes; their names are jobids. */
export const sqlCronOwner = "cron";
/** Jobs that run a command of `cron.job`. */
export const sqlCronJob = "mainstay.cron";
