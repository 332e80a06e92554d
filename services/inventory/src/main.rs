//! The inventory service as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::cli::main(
        "inventory",
        inventory::config::base(),
        |config, shutdown| inventory::run(config, None, shutdown),
    )
}
