//! The tower layer: between the connection and every service of the server.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tonic::{body::Body, codegen::http};
use tower::{Layer, Service};

use super::{
    body::ScopedBody,
    guard::{Admitted, Guard},
    watched::WatchedBody,
};
use crate::edge::Peer;

#[derive(Clone)]
pub struct GuardLayer(pub Arc<Guard>);

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            guard: Arc::clone(&self.0),
        }
    }
}

/// A service behind the guard.
#[derive(Clone)]
pub struct Guarded<S> {
    inner: S,
    guard: Arc<Guard>,
}

impl<S> Service<http::Request<Body>> for Guarded<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // The one that is ready is used, and its clone is made ready next.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let guard = Arc::clone(&self.guard);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let peer = parts.extensions.get::<Peer>();
            let from = peer.map(|peer| peer.address().ip());
            let admitted = guard.admit(parts.uri.path(), &parts.headers, from).await;
            let (caller, scope) = match admitted {
                Err(status) => return Ok(status.into_http()),
                Ok(Admitted::Free) => {
                    return inner.call(http::Request::from_parts(parts, body)).await;
                }
                Ok(Admitted::Within(caller, scope)) => (caller, scope),
            };
            let method = parts.uri.path().to_owned();
            parts.extensions.insert((*caller).clone());
            let streams = scope.streams();
            let body = if scope.is_open() {
                body
            } else {
                let guard = Arc::clone(&guard);
                Body::new(ScopedBody::new(body, *scope, guard, method.clone()))
            };
            let answer = inner.call(http::Request::from_parts(parts, body)).await?;
            if !streams {
                return Ok(answer);
            }
            Ok(answer.map(|body| Body::new(WatchedBody::new(body, *caller, guard, method))))
        })
    }
}
