//! How messages become bytes over gRPC: as tonic does it, but for requests that
//! cannot be read. Those are the caller's fault (`INVALID_ARGUMENT`), and not
//! the `INTERNAL` that tonic makes of every message that cannot be decoded.

use std::marker::PhantomData;

use prost::{Message, Name};
use tonic::{
    Status,
    codec::{DecodeBuf, Decoder},
};
use tonic_prost::ProstEncoder;

/// Encodes `T`, decodes `U`; a server decodes requests, a client responses.
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> tonic::codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = MessageDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        MessageDecoder(PhantomData)
    }
}

/// Decodes `U` and says whose fault it is where that fails.
pub struct MessageDecoder<U>(PhantomData<U>);

impl<U: Message + Name + Default> Decoder for MessageDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        U::decode(buffer).map(Some).map_err(|error| {
            // Every request's name ends so (buf's rule RPC_REQUEST_STANDARD_NAME).
            if U::NAME.ends_with("Request") {
                Status::invalid_argument(format!(
                    "the request is no {}: {error}; generate your client from the suite's protos",
                    U::full_name()
                ))
            } else {
                Status::internal(format!("the answer is no {}: {error}", U::full_name()))
            }
        })
    }
}
