import { Command, type Option, type ParseOptionsResult } from "commander";

/**
 * A command that takes no flag for the value of the option before it. Commander would: `--reason --dry-run` was a reason
 * called "--dry-run", and the run was not dry.
 */
export class CliCommand extends Command {
  override createCommand(name?: string): CliCommand {
    return new CliCommand(name);
  }

  override parseOptions(args: string[]): ParseOptionsResult {
    for (let i = 0; i < args.length && args[i] !== "--"; i += 1) {
      const option = this.options.find(({ long, short }) => args[i] === long || args[i] === short);
      if (option?.required !== true) continue;
      i += 1;
      const value = args[i];
      if (value !== undefined && isFlag(value)) refuseFlag(this, option, value);
    }
    return super.parseOptions(args);
  }
}

/** `-` alone is a value, and so is a negative number. */
function isFlag(word: string): boolean {
  return word.startsWith("--") || word === "-h";
}

function refuseFlag(command: Command, option: Option, value: string): never {
  const name = option.long ?? option.flags;
  command.error(
    `error: option '${option.flags}' argument missing: ${value} stands in its place (when that is the value, write ${name}=${value})`,
    { code: "commander.optionMissingArgument" },
  );
}
