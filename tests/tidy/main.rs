//! Rules of this repository as a program: what may depend on what, how files
//! are named and headed, and that every configuration and manifest fits the
//! code. It reads files only, and reports all that it finds at once.

mod alerts;
mod compose;
mod configs;
mod dependencies;
mod guides;
mod kubernetes;
mod layout;
mod licences;
mod ports;
mod protos;
mod purity;
mod text;
mod tree;

/// Names of the four services, in the order of their ports.
const SERVICES: [&str; 4] = ["order", "inventory", "logistics", "notification"];

/// What a check found, one line each; empty is good.
#[derive(Debug, Default)]
struct Findings(Vec<String>);

impl Findings {
    fn add(&mut self, place: impl std::fmt::Display, what: impl std::fmt::Display) {
        self.0.push(format!("{place}: {what}"));
    }

    fn check(&mut self, good: bool, place: impl std::fmt::Display, what: impl std::fmt::Display) {
        if !good {
            self.add(place, what);
        }
    }

    #[track_caller]
    fn none(self) {
        assert!(
            self.0.is_empty(),
            "{} finding(s):\n{}",
            self.0.len(),
            self.0.join("\n")
        );
    }
}
