//! The order service as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::cli::main("order", order::config::base(), |config, shutdown| {
        order::run(config, None, shutdown)
    })
}
