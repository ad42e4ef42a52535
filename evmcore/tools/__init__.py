"""The commands of `evmcore`, one file each: SUMMARY, add_arguments(parser) and main(arguments) -> exit status."""
