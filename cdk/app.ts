/** The program that `cdk` runs (cdk.json): synthesises every stack, asking no account and no network. */
import { App } from "aws-cdk-lib";
import { buildApp } from "./build-app.ts";

const app = new App();
buildApp(app);
app.synth();
