export type { Accounts, ImportedIdentity, ImportedUser, ImportOutcome } from "./capabilities/auth/index.ts";
export type { FunctionLog, FunctionLogFilter, FunctionLogs } from "./capabilities/functions/index.ts";
export type { DefinitionSummary, Diagnostic } from "./capabilities/functions/types.ts";
export type { AccessKey, AccessKeys, KeyOrder, StorageFinding, StorageTools } from "./capabilities/storage/index.ts";
export type { Delivery, DeliveryAttempt, Webhook, WebhookSecret, WebhookTools } from "./capabilities/webhooks/index.ts";
export { type RunningServer, type ServerOptions, startServer } from "./compose.ts";
export {
  type Config,
  defineConfig,
  type GivenSettings,
  loadConfig,
  type ProjectConfig,
  settingGroups,
} from "./config.ts";
export { Problem } from "./kernel/problem.ts";
export { type Origins, type Setting, SettingError, type Settings } from "./kernel/settings.ts";
export {
  inspectProjectFunctions,
  type OpenProjectAccounts,
  type OpenProjectDatabase,
  type OpenProjectS3Keys,
  type OpenProjectStorage,
  type OpenProjectWebhooks,
  openProjectAccounts,
  openProjectCallers,
  openProjectDatabase,
  openProjectJobs,
  openProjectLogs,
  openProjectS3Keys,
  openProjectStorage,
  openProjectWebhooks,
  type ProjectCallers,
  type ProjectFunctions,
} from "./open-project.ts";
export type { ApiKeys } from "./platform/identity/types.ts";
export type { ScheduleInfo } from "./platform/jobs/schedules/types.ts";
export type { JobDetails, JobQueue, JobTools, KeptJob } from "./platform/jobs/tools.ts";
export type { JobFilter, JobState } from "./platform/jobs/types.ts";
export type { Observation, Observe } from "./platform/observe/observation.ts";
export { findProject, type Project } from "./project.ts";
