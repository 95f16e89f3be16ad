import { moods, openWeatherService } from "./weather/service.ts";

/** Where functions look for it: the setting `functionsAllowedHosts` names it. */
const port = 54_390;

const { url } = await openWeatherService(port);
process.stdout.write(
  `The weather is at ${url}. Change its mood: curl -X PUT -d failing ${url}/mood (${moods.join(", ")}).\n`,
);
