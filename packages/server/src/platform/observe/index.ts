export { fanOut } from "./fan-out.ts";
export { createLogger, type LogSink, standardOutput } from "./logger.ts";
export type { Observation, Observe } from "./observation.ts";
export { redact } from "./redact.ts";
export { type LogLevel, observeSettings } from "./settings.ts";
