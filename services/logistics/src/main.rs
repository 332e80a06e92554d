//! The logistics service as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::cli::main(
        "logistics",
        logistics::config::base(),
        |config, shutdown| logistics::run(config, None, shutdown),
    )
}
