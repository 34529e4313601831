#!/usr/bin/env node
// npm starts it by a link, which the library would not take for itself.
import { main } from "./keygate-sign.mjs";

main(process.argv[2]);
