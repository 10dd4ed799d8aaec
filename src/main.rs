//! The `modescope` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    modescope::cli::main()
}
