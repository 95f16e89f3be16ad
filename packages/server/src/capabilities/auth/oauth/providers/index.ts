import type { ProviderName } from "../settings.ts";
import type { ProviderDefinition } from "../types.ts";
import { apple } from "./apple.ts";
import { azure } from "./azure.ts";
import { bitbucket } from "./bitbucket.ts";
import { discord } from "./discord.ts";
import { facebook } from "./facebook.ts";
import { figma } from "./figma.ts";
import { github } from "./github.ts";
import { gitlab } from "./gitlab.ts";
import { google } from "./google.ts";
import { kakao } from "./kakao.ts";
import { keycloak } from "./keycloak.ts";
import { linkedin, linkedinOidc } from "./linkedin.ts";
import { notion } from "./notion.ts";
import { slack, slackOidc } from "./slack.ts";
import { spotify } from "./spotify.ts";
import { twitch } from "./twitch.ts";
import { workos } from "./workos.ts";
import { twitter, x } from "./x.ts";
import { zoom } from "./zoom.ts";

/** Everybody we know how to ask. */
export const definitions: Readonly<Record<ProviderName, ProviderDefinition>> = {
  apple,
  azure,
  bitbucket,
  discord,
  facebook,
  figma,
  github,
  gitlab,
  google,
  kakao,
  keycloak,
  linkedin,
  linkedin_oidc: linkedinOidc,
  notion,
  slack,
  slack_oidc: slackOidc,
  spotify,
  twitch,
  twitter,
  workos,
  x,
  zoom,
};
