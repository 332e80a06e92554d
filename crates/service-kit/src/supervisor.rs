//! Owns every task of a service. Each has a name, a stage in the shutdown and
//! a rule for its end; nothing is spawned beside it.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Shutdown goes through the stages in this order, each waiting for the tasks
/// of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Takes requests: told to stop first, then drained.
    Serving,
    /// Takes other services' events, sends messages.
    Consuming,
    /// Decides and stores.
    Writing,
    /// Publishes what is stored.
    Relaying,
}

const STAGES: [Stage; 4] = [
    Stage::Serving,
    Stage::Consuming,
    Stage::Writing,
    Stage::Relaying,
];

type TaskResult = (&'static str, Stage, anyhow::Result<()>);

/// Tasks of one service.
pub struct Supervisor {
    tasks: JoinSet<TaskResult>,
    tokens: [CancellationToken; 4],
    running: [usize; 4],
    grace: Duration,
}

impl Supervisor {
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self {
            tasks: JoinSet::new(),
            tokens: std::array::from_fn(|_| CancellationToken::new()),
            running: [0; 4],
            grace,
        }
    }

    /// Cancelled when the stage is to end; a task of the stage must watch it,
    /// or be content to be dropped at its next await.
    #[must_use]
    pub fn token(&self, stage: Stage) -> CancellationToken {
        self.tokens[stage as usize].clone()
    }

    /// Runs a task. Its end before the shutdown, with or without an error,
    /// ends the service: every task here is meant to run for ever.
    pub fn spawn(
        &mut self,
        name: &'static str,
        stage: Stage,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.running[stage as usize] += 1;
        self.tasks.spawn(async move {
            let result = match AssertUnwindSafe(task).catch_unwind().await {
                Ok(result) => result,
                Err(_) => Err(anyhow::anyhow!("it panicked; the panic's message is above")),
            };
            (name, stage, result)
        });
    }

    /// Runs a task that needs no end of its own: it is dropped when its stage
    /// ends.
    pub fn spawn_dropped(
        &mut self,
        name: &'static str,
        stage: Stage,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let token = self.token(stage);
        self.spawn(name, stage, async move {
            tokio::select! {
                () = token.cancelled() => Ok(()),
                result = task => result,
            }
        });
    }

    /// Waits for the shutdown or for the first task that ends, then ends the
    /// others stage by stage.
    ///
    /// # Errors
    /// The error of the task that ended first, if that was not asked for.
    pub async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        tokio::select! {
            () = shutdown.cancelled() => tracing::info!("shutting down"),
            Some(ended) = self.tasks.join_next() => {
                outcome = self.note(ended, true);
            }
        }
        for stage in STAGES {
            self.tokens[stage as usize].cancel();
            let drained = tokio::time::timeout(self.grace, async {
                while self.running[stage as usize] > 0
                    && let Some(ended) = self.tasks.join_next().await
                {
                    let result = self.note(ended, false);
                    if outcome.is_ok() {
                        outcome = result;
                    }
                }
            });
            if drained.await.is_err() {
                tracing::warn!(?stage, grace = ?self.grace, "tasks did not end in time; going on");
            }
        }
        self.tasks.shutdown().await;
        outcome
    }

    fn note(
        &mut self,
        ended: Result<TaskResult, tokio::task::JoinError>,
        unasked: bool,
    ) -> anyhow::Result<()> {
        let (name, stage, result) = ended?;
        self.running[stage as usize] -= 1;
        match result {
            Err(error) => {
                tracing::error!(task = name, error = format!("{error:#}"), "a task failed");
                Err(error.context(format!("the task `{name}` failed")))
            }
            Ok(()) if unasked => {
                tracing::error!(task = name, "a task ended that should run for ever");
                Err(anyhow::anyhow!("the task `{name}` ended by itself"))
            }
            Ok(()) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn stages_end_in_their_order() {
        let mut supervisor = Supervisor::new(Duration::from_secs(5));
        let order = Arc::new(Mutex::new(Vec::new()));
        for (name, stage) in [
            ("relay", Stage::Relaying),
            ("writer", Stage::Writing),
            ("grpc", Stage::Serving),
            ("reactor", Stage::Consuming),
        ] {
            let token = supervisor.token(stage);
            let order = Arc::clone(&order);
            supervisor.spawn(name, stage, async move {
                token.cancelled().await;
                order.lock().expect("no panic").push(name);
                Ok(())
            });
        }
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        supervisor.run(shutdown).await.expect("a clean end");
        assert_eq!(
            *order.lock().expect("no panic"),
            ["grpc", "reactor", "writer", "relay"]
        );
    }

    #[tokio::test]
    async fn a_failed_task_ends_the_service_and_is_named() {
        let mut supervisor = Supervisor::new(Duration::from_secs(5));
        supervisor.spawn_dropped("grpc", Stage::Serving, std::future::pending());
        supervisor.spawn("relay", Stage::Relaying, async {
            anyhow::bail!("another writer")
        });
        let error = supervisor
            .run(CancellationToken::new())
            .await
            .expect_err("it failed");
        assert_eq!(
            format!("{error:#}"),
            "the task `relay` failed: another writer"
        );
    }
}
