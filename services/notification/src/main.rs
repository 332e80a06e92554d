//! The notification service as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::cli::main(
        "notification",
        notification::config::base(),
        |config, shutdown| notification::run(config, None, shutdown),
    )
}
