//! Photos come and go in chunks; where they lie and what is refused is in
//! `photos`.

use std::{fs::File, sync::Arc, time::Duration};

use futures::StreamExt;
use tokio::io::AsyncReadExt;

use decider::{Area, Position, Rejected};
use logistics_domain::{Photo, Rejection, StorePhoto};
use proto::{
    logistics::v1::{self as pb, PhotoState, download_photo_response, upload_photo_request::Part},
    time::to_proto,
};
use service_kit::{
    follow::Parts,
    status::{self, not_found, status},
};
use tonic::{Request, Response, Status, Streaming};

use super::{Answer, SERVICE, Service, access::Look};
use crate::{
    error,
    parse::proof as parse,
    photos::{CHUNK_BYTES_MAX, Hash, Pin, Refusal, Store, Upload, UploadId},
};

/// How long one upload may take, whatever comes meanwhile.
const UPLOAD_TIME: Duration = Duration::from_secs(600);

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        metrics::counter!(
            "baogong_photos_refused_total",
            "service" => SERVICE.name(), "reason" => refusal.reason()
        )
        .increment(1);
        status(
            SERVICE,
            refusal.code(),
            refusal.reason(),
            refusal.to_string(),
        )
    }
}

impl Service {
    pub(super) fn store(&self, area: &Area) -> Result<Arc<Store>, Status> {
        let partition = self.partitions.hosting(area)?;
        self.photos.of(partition).map_err(|error| {
            tracing::error!(%error, "there is no place for photos");
            Refusal::Disk.into()
        })
    }

    pub(super) async fn upload(
        &self,
        request: Request<Streaming<pb::UploadPhotoRequest>>,
    ) -> Answer<pb::UploadPhotoResponse> {
        let (metadata, extensions, mut chunks) = request.into_parts();
        let stall = self.photos.limits.stall;
        let first = next(&mut chunks, stall).await?.ok_or(Refusal::Order)?;
        let mut asked = first.clone();
        if let Some(Part::Header(header)) = &mut asked.part {
            // Where it goes on is no part of what is asked for.
            header.offset_bytes = 0;
        }
        let asked = Request::from_parts(metadata, extensions, asked);
        let (call, _) = self.partitions.command(asked)?;
        let header = parse::upload(&first, &self.photos.limits, call.now());
        let header = header.ok_or(Refusal::Order)??;
        let area = call.area().clone();
        let store = self.store(&area)?;
        let mut pin = None;
        if self.needs(&area, &header.command, &store).await? {
            let id = upload_id(&area, &header.command);
            let (format, size) = (header.command.format, header.size);
            let upload = store.begin(id, format, size, header.offset).await?;
            let over = upload.over();
            let receiving = receive(upload, &mut chunks, &first, stall);
            let received = tokio::select! {
                received = receiving => received,
                () = over.cancelled() => Err(Refusal::TakenOver.into()),
                () = tokio::time::sleep(UPLOAD_TIME) => {
                    Err(Refusal::Stalled { secs: UPLOAD_TIME.as_secs() }.into())
                }
            };
            pin = Some(received?);
        }
        let command = header.command;
        let (carrier_id, shipment_id) = (command.carrier_id.clone(), command.shipment_id.clone());
        let hash = command.content_sha256;
        let committed = call.run(command.into()).await?;
        drop(pin);
        let delete_at = self.partitions.hosting(&area)?.peek(|machine| {
            let shipment = machine.state().shipment(&area, &shipment_id)?;
            Some(shipment.photo(&carrier_id, &hash)?.delete_at)
        });
        Ok(Response::new(pb::UploadPhotoResponse {
            position: committed.position.0,
            sha256: hash.to_vec(),
            delete_time: delete_at.map(to_proto),
        }))
    }

    /// Whether the photo must come: it may, and it is not there.
    async fn needs(
        &self,
        area: &Area,
        command: &StorePhoto,
        store: &Store,
    ) -> Result<bool, Status> {
        let partition = self.partitions.hosting(area)?;
        let now = partition.clock().now();
        let asked = partition.query(Position::ZERO, |machine| {
            machine.state().may_store(area, command, now)
        });
        let (new, _) = asked.await.map_err(|e| status::query(SERVICE, &e))?;
        let new = new.map_err(|rejection| {
            let rejection = Rejection::from(rejection);
            let code = error::code(&rejection);
            status(SERVICE, code, rejection.reason(), rejection.to_string())
        })?;
        Ok(new || !store.has(&command.content_sha256))
    }

    pub(super) async fn uploaded(
        &self,
        request: Request<pb::GetUploadRequest>,
    ) -> Answer<pb::GetUploadResponse> {
        let message = request.get_ref();
        let (carrier_id, id) = (&message.carrier_id, &message.shipment_id);
        let hash = parse::photo(carrier_id, id, &message.sha256)?;
        let (found, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let shipment = machine.state().shipment(area, id)?;
                let photo = shipment.photo(carrier_id, &hash).cloned();
                let own = shipment.carrier() == Some(carrier_id) || photo.is_some();
                own.then(|| (area.clone(), photo))
            })
            .await?;
        let (area, photo) =
            found.ok_or_else(|| not_found(SERVICE, "shipment", "shipment_id", id))?;
        let store = self.store(&area)?;
        let mut answer = pb::GetUploadResponse {
            as_of_position: position.0,
            ..Default::default()
        };
        let state = state(photo.as_ref(), &hash, &store);
        answer.set_state(state);
        if let Some(photo) = &photo {
            answer.delete_time = Some(to_proto(photo.delete_at));
        }
        answer.received_bytes = match (state, photo) {
            (PhotoState::Stored, Some(photo)) => photo.size_bytes,
            _ => {
                let upload = UploadId {
                    area: area.to_string(),
                    carrier_id: carrier_id.clone(),
                    shipment_id: id.clone(),
                    hash,
                };
                i64::try_from(store.received(&upload)).unwrap_or(i64::MAX)
            }
        };
        Ok(Response::new(answer))
    }

    pub(super) async fn download(
        &self,
        request: Request<pb::DownloadPhotoRequest>,
    ) -> Answer<Parts<pb::DownloadPhotoResponse>> {
        let asker = self.partitions.asker(&request)?;
        let message = request.get_ref();
        let (carrier_id, id) = (&message.carrier_id, &message.shipment_id);
        let hash = parse::photo(carrier_id, id, &message.sha256)?;
        let (found, _) = self
            .partitions
            .query(message, |machine, area, _| {
                let shipment = machine.state().shipment(area, id)?;
                Some((area.clone(), shipment.photo(carrier_id, &hash)?.clone()))
            })
            .await?;
        let (area, photo) = found.ok_or_else(|| not_found(SERVICE, "photo", "shipment_id", id))?;
        if photo.erased.is_some() {
            return Err(Refusal::Erased.into());
        }
        let file = self.store(&area)?.read(hash).await.map_err(unreadable)?;
        let file = file.ok_or(Refusal::Missing)?;
        let look = Look {
            asker: &asker,
            area: &area,
            shipment_id: id,
            carrier_id,
            method: "DownloadPhoto",
            content: Some(hash),
        };
        self.note_access(&look).await?;
        Ok(Response::new(chunked(&photo, file)))
    }
}

fn upload_id(area: &Area, command: &StorePhoto) -> UploadId {
    UploadId {
        area: area.to_string(),
        carrier_id: command.carrier_id.clone(),
        shipment_id: command.shipment_id.clone(),
        hash: command.content_sha256,
    }
}

/// The next message; none at the end.
async fn next(
    chunks: &mut Streaming<pb::UploadPhotoRequest>,
    stall: Duration,
) -> Result<Option<pb::UploadPhotoRequest>, Status> {
    let waited = tokio::time::timeout(stall, chunks.message()).await;
    waited.map_err(|_| Refusal::Stalled {
        secs: stall.as_secs(),
    })?
}

async fn receive(
    mut upload: Upload,
    chunks: &mut Streaming<pb::UploadPhotoRequest>,
    first: &pb::UploadPhotoRequest,
    stall: Duration,
) -> Result<Pin, Status> {
    while let Some(message) = next(chunks, stall).await? {
        if message.area != first.area || message.carrier_id != first.carrier_id {
            return Err(Refusal::Mixed.into());
        }
        let Some(Part::Chunk(chunk)) = message.part else {
            return Err(Refusal::Order.into());
        };
        upload.write(chunk).await?;
    }
    Ok(upload.finish().await?)
}

/// What a photo is to whoever may ask.
fn state(photo: Option<&Photo>, hash: &Hash, store: &Store) -> PhotoState {
    match photo {
        None => PhotoState::Pending,
        Some(photo) if photo.erased.is_some() => PhotoState::Erased,
        Some(_) if store.has(hash) => PhotoState::Stored,
        Some(_) => PhotoState::Missing,
    }
}

fn unreadable(error: std::io::Error) -> Refusal {
    tracing::error!(%error, "a photo cannot be read");
    Refusal::Disk
}

/// Read as the client takes it, so that slow clients hold no memory.
fn chunked(photo: &Photo, file: File) -> Parts<pb::DownloadPhotoResponse> {
    use download_photo_response::Part;
    let message = |part| pb::DownloadPhotoResponse { part: Some(part) };
    let description = message(Part::Description(pb::PhotoDescription {
        format: photo.format.into(),
        size_bytes: photo.size_bytes,
    }));
    let file = tokio::fs::File::from_std(file);
    let chunks = futures::stream::try_unfold(file, move |mut file| async move {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES_MAX);
        let mut part = (&mut file).take(CHUNK_BYTES_MAX as u64);
        part.read_to_end(&mut chunk).await.map_err(unreadable)?;
        let more = !chunk.is_empty();
        Ok::<_, Status>(more.then(|| (message(Part::Chunk(chunk)), file)))
    });
    Box::pin(futures::stream::once(async { Ok(description) }).chain(chunks))
}
