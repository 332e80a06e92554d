//! Who gets through to a service: the layer with every method and every role,
//! the sources of keys and revocations, and TLS.

mod keys;
mod layer;
mod support;
mod tls;
