//! A group's robot: an HTTP server that answers as it is told and shows what
//! it was given.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

#[derive(Debug)]
pub struct Given {
    /// `<notification>-<attempt>`.
    pub key: String,
    pub text: String,
}

#[derive(Clone)]
struct Behaviour {
    /// Answers to come; all further ones are 200.
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
    /// An answer takes a permit.
    gate: Arc<Semaphore>,
    given: mpsc::UnboundedSender<Given>,
}

pub struct Robot {
    pub url: String,
    behaviour: Behaviour,
    given: mpsc::UnboundedReceiver<Given>,
}

impl Robot {
    pub async fn start(tasks: &mut JoinSet<()>) -> Self {
        let (sender, given) = mpsc::unbounded_channel();
        let behaviour = Behaviour {
            answers: Arc::default(),
            gate: Arc::new(Semaphore::new(10_000)),
            given: sender,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new()
            .route("/send", post(answer))
            .with_state(behaviour.clone());
        tasks.spawn(async move {
            axum::serve(listener, router).await.expect("a server");
        });
        Self {
            url: format!("http://{address}/send?key=k3y"),
            behaviour,
            given,
        }
    }

    /// The next answer that is not yet told.
    pub fn will_answer(&self, status: StatusCode) {
        let mut answers = self.behaviour.answers.lock().expect("not poisoned");
        answers.push_back(status);
    }

    /// Lets callers wait until [`Self::go_on`].
    pub fn stall(&self) {
        self.behaviour.gate.forget_permits(usize::MAX);
    }

    pub fn go_on(&self) {
        self.behaviour.gate.add_permits(10_000);
    }

    pub async fn given(&mut self) -> Given {
        tokio::time::timeout(Duration::from_secs(30), self.given.recv())
            .await
            .expect("a message in time")
            .expect("a robot")
    }

    /// Whatever was given and not yet looked at.
    pub fn given_besides(&mut self) -> Vec<Given> {
        std::iter::from_fn(|| self.given.try_recv().ok()).collect()
    }
}

async fn answer(
    State(behaviour): State<Behaviour>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let key = headers.get("idempotency-key").expect("a key");
    let text = body["text"]["content"].as_str().expect("a text");
    let _ = behaviour.given.send(Given {
        key: key.to_str().expect("text").to_owned(),
        text: text.to_owned(),
    });
    let permit = behaviour.gate.acquire().await.expect("an open gate");
    permit.forget();
    let told = behaviour.answers.lock().expect("not poisoned").pop_front();
    (told.unwrap_or(StatusCode::OK), Json(json!({"errcode": 0})))
}
