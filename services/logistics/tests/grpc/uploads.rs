//! Photos over gRPC: whole or not at all, resumed after a cut, nobody else's,
//! and gone when their time is over.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use decider::spec::START;
use proto::{
    LogisticsEvent, NotificationEvent,
    admin::v1::AdvanceClockRequest,
    logistics::v1::{download_photo_response, upload_photo_request::Part, *},
    notification::v1::ContactErased,
    time::to_proto,
};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Response, Status};

use crate::{
    ask::{AREA, fresh},
    partner::{join, ready},
    proofs::{list, proof},
    site::{QUOTA_MIB, Site, expected, ok, refused, wrong_fields},
};

const CHUNK: usize = 64 * 1024;

/// A photo of so many bytes, another for each seed.
fn jpeg(bytes: usize, seed: u8) -> Vec<u8> {
    let mut photo = vec![0xff, 0xd8, 0xff, 0xe0];
    photo.extend((4..bytes).map(|n| (n as u8).wrapping_mul(31).wrapping_add(seed)));
    photo
}

fn sha256(photo: &[u8]) -> Vec<u8> {
    Sha256::digest(photo).to_vec()
}

fn message(part: Part) -> UploadPhotoRequest {
    UploadPhotoRequest {
        request_id: String::new(),
        area: AREA.into(),
        carrier_id: "acme".into(),
        part: Some(part),
    }
}

fn header(shipment_id: &str, photo: &[u8]) -> PhotoHeader {
    PhotoHeader {
        shipment_id: shipment_id.into(),
        format: PhotoFormat::Jpeg.into(),
        size_bytes: photo.len() as i64,
        sha256: sha256(photo),
        ..Default::default()
    }
}

/// The header, then these bytes in chunks.
fn upload(header: PhotoHeader, bytes: &[u8]) -> Vec<UploadPhotoRequest> {
    let mut first = message(Part::Header(header));
    first.request_id = fresh();
    let chunks = bytes
        .chunks(CHUNK)
        .map(|c| message(Part::Chunk(c.to_vec())));
    std::iter::once(first).chain(chunks).collect()
}

type Uploaded = Result<Response<UploadPhotoResponse>, Status>;

async fn send(site: &Site, messages: Vec<UploadPhotoRequest>) -> Uploaded {
    let mut partner = site.partner.clone();
    partner.upload_photo(futures::stream::iter(messages)).await
}

async fn store(site: &Site, shipment_id: &str, photo: &[u8]) {
    ok(send(site, upload(header(shipment_id, photo), photo)).await);
}

fn query(shipment_id: &str, photo: &[u8]) -> GetUploadRequest {
    GetUploadRequest {
        area: AREA.into(),
        carrier_id: "acme".into(),
        shipment_id: shipment_id.into(),
        sha256: sha256(photo),
        ..Default::default()
    }
}

async fn state(site: &mut Site, shipment_id: &str, photo: &[u8]) -> (PhotoState, i64) {
    let answer = ok(site.partner.get_upload(query(shipment_id, photo)).await);
    (answer.state(), answer.received_bytes)
}

fn download_of(shipment_id: &str, photo: &[u8]) -> DownloadPhotoRequest {
    DownloadPhotoRequest {
        area: AREA.into(),
        carrier_id: "acme".into(),
        shipment_id: shipment_id.into(),
        sha256: sha256(photo),
        ..Default::default()
    }
}

async fn download(site: &mut Site, request: DownloadPhotoRequest) -> Result<Vec<u8>, Status> {
    let mut parts = site.partner.download_photo(request).await?.into_inner();
    let first = parts.message().await?.expect("a description").part;
    let Some(download_photo_response::Part::Description(description)) = first else {
        panic!("{first:?}")
    };
    let mut photo = Vec::new();
    while let Some(part) = parts.message().await? {
        match part.part {
            Some(download_photo_response::Part::Chunk(chunk)) => photo.extend(chunk),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(description.size_bytes, photo.len() as i64);
    assert_eq!(description.format(), PhotoFormat::Jpeg);
    Ok(photo)
}

/// Paths of all files of photos, from their folder on.
fn files(site: &Site) -> BTreeSet<PathBuf> {
    let folder = site.data().join("0.blobs");
    let mut found = BTreeSet::new();
    collect(&folder, &folder, &mut found);
    found
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            found.insert(path.strip_prefix(root).expect("below").to_owned());
        }
    }
}

fn place_of(photo: &[u8]) -> PathBuf {
    let name: String = sha256(photo).iter().map(|b| format!("{b:02x}")).collect();
    Path::new(&name[..2]).join(&name[2..])
}

/// Until the files are these.
async fn becomes(site: &Site, wanted: BTreeSet<PathBuf>) {
    let look = async {
        while files(site) != wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), look).await;
    waited.unwrap_or_else(|_| panic!("{:?} are there", files(site)));
}

#[tokio::test]
async fn a_photo_comes_in_chunks_and_is_what_it_was() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let photo = jpeg(200_000, 1);
    let named = RecordProofRequest {
        photo_sha256: sha256(&photo),
        ..proof(&id, ProofKind::Photo)
    };
    ok(site.partner.record_proof(named).await);
    assert_eq!(
        list(&mut site, &id).await[0].photo_state(),
        PhotoState::Pending
    );

    let messages = upload(header(&id, &photo), &photo);
    let first = ok(send(&site, messages.clone()).await);
    assert_eq!(first.sha256, sha256(&photo));
    assert!(first.delete_time.is_some());
    assert_eq!(files(&site), BTreeSet::from([place_of(&photo)]));
    assert_eq!(
        list(&mut site, &id).await[0].photo_state(),
        PhotoState::Stored
    );
    assert_eq!(
        download(&mut site, download_of(&id, &photo))
            .await
            .expect("a photo"),
        photo
    );
    let access = site.recorded(|event| match event {
        LogisticsEvent::PersonalDataAccessed(access) => Some(access.clone()),
        _ => None,
    });
    let access = access.await;
    assert_eq!(access.method, "DownloadPhoto");
    assert_eq!(access.content_sha256, sha256(&photo));
    // A lost answer is asked for again, under the same id or a new one, and
    // needs no chunks then.
    assert_eq!(ok(send(&site, messages).await), first);
    let again = ok(send(&site, upload(header(&id, &photo), &[])).await);
    assert_eq!(again.delete_time, first.delete_time);
}

#[tokio::test]
async fn what_was_cut_off_leaves_no_photo_and_is_gone_on_with() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let photo = jpeg(300_000, 2);
    let (sender, receiver) = mpsc::channel(8);
    let mut partner = site.partner.clone();
    let call = tokio::spawn(async move {
        let chunks = ReceiverStream::new(receiver);
        partner.upload_photo(chunks).await
    });
    for message in upload(header(&id, &photo), &photo).into_iter().take(3) {
        sender.send(message).await.expect("taken");
    }
    let begun = async {
        while state(&mut site, &id, &photo).await != (PhotoState::Pending, 2 * CHUNK as i64) {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), begun).await;
    waited.expect("two chunks are there");
    call.abort();
    drop(sender);
    let answer = download(&mut site, download_of(&id, &photo)).await;
    assert_eq!(refused(answer), expected(Code::NotFound, "PHOTO_UNKNOWN"));

    let (_, received) = state(&mut site, &id, &photo).await;
    let beyond = PhotoHeader {
        offset_bytes: received + 1,
        ..header(&id, &photo)
    };
    let answer = send(&site, upload(beyond, &photo[CHUNK..])).await;
    assert_eq!(refused(answer), expected(Code::OutOfRange, "UPLOAD_OFFSET"));
    // A part that ends in order too early is kept as well.
    let half = PhotoHeader {
        offset_bytes: received,
        ..header(&id, &photo)
    };
    let from = received as usize;
    let answer = send(&site, upload(half, &photo[from..from + 1_000])).await;
    let incomplete = expected(Code::FailedPrecondition, "UPLOAD_INCOMPLETE");
    assert_eq!(refused(answer), incomplete);
    let rest = PhotoHeader {
        offset_bytes: received + 1_000,
        ..header(&id, &photo)
    };
    ok(send(&site, upload(rest, &photo[from + 1_000..])).await);
    assert_eq!(
        download(&mut site, download_of(&id, &photo))
            .await
            .expect("a photo"),
        photo
    );
    assert_eq!(files(&site), BTreeSet::from([place_of(&photo)]));
}

#[tokio::test]
async fn what_is_not_the_photo_that_was_told_is_refused_and_not_kept() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let photo = jpeg(100_000, 3);
    let good = || header(&id, &photo);
    let mut script = photo.clone();
    script[..11].copy_from_slice(b"#!/bin/sh\n\n");
    let tiny = vec![0xff, 0xd8];
    let longer = [&photo[..], b"more"].concat();
    let png = PhotoHeader {
        format: PhotoFormat::Png.into(),
        ..good()
    };
    let cases = [
        (upload(good(), &jpeg(100_000, 4)), "UPLOAD_HASH_DIFFERS"),
        (upload(good(), &longer), "UPLOAD_TOO_LONG"),
        (upload(png, &photo), "UPLOAD_FORMAT_DIFFERS"),
        (
            upload(header(&id, &script), &script),
            "UPLOAD_FORMAT_DIFFERS",
        ),
        (upload(header(&id, &tiny), &tiny), "UPLOAD_FORMAT_DIFFERS"),
    ];
    for (messages, reason) in cases {
        let answer = send(&site, messages).await;
        assert_eq!(refused(answer), expected(Code::InvalidArgument, reason));
        assert_eq!(files(&site), BTreeSet::new(), "{reason}");
    }
}

#[tokio::test]
async fn what_is_no_upload_is_refused() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let photo = jpeg(100_000, 5);
    let large = vec![message(Part::Chunk(vec![0xff; CHUNK + 1]))];
    let empty = vec![message(Part::Chunk(vec![]))];
    let twice = upload(header(&id, &photo), &[]).split_off(0);
    let elsewhere = UploadPhotoRequest {
        carrier_id: "bolt".into(),
        ..message(Part::Chunk(photo[..100].to_vec()))
    };
    let begin = |rest: Vec<UploadPhotoRequest>| {
        let first = upload(header(&id, &photo), &[]);
        first.into_iter().chain(rest).collect::<Vec<_>>()
    };
    let headless = UploadPhotoRequest {
        request_id: fresh(),
        ..message(Part::Chunk(photo[..100].to_vec()))
    };
    for (messages, reason) in [
        (begin(large), "UPLOAD_CHUNK_SIZE"),
        (begin(empty), "UPLOAD_CHUNK_SIZE"),
        (begin(twice), "UPLOAD_ORDER"),
        (begin(vec![elsewhere]), "UPLOAD_MIXED"),
        (vec![headless], "UPLOAD_ORDER"),
        (vec![], "UPLOAD_ORDER"),
    ] {
        let answer = send(&site, messages).await;
        assert_eq!(refused(answer), expected(Code::InvalidArgument, reason));
    }
    let wrong = PhotoHeader {
        shipment_id: "../../etc/passwd".into(),
        format: 99,
        size_bytes: 5 * 1024 * 1024 + 1,
        sha256: b"../../../../../etc/passwd".to_vec(),
        offset_bytes: -1,
        household_id: "..".into(),
        order_id: "/".into(),
    };
    let mut fields = wrong_fields(send(&site, upload(wrong, &photo)).await);
    fields.sort();
    assert_eq!(
        fields,
        [
            "header.format",
            "header.household_id",
            "header.offset_bytes",
            "header.order_id",
            "header.sha256",
            "header.shipment_id",
            "header.size_bytes",
        ]
    );
    for trick in ["../../etc/passwd", "/etc/passwd", "a/b", "..", "a\0b", ""] {
        let mut messages = upload(header(trick, &photo), &photo);
        let fields = wrong_fields(send(&site, messages.clone()).await);
        assert_eq!(fields, ["header.shipment_id"], "{trick:?}");
        messages = upload(header(&id, &photo), &photo);
        for message in &mut messages {
            message.carrier_id = trick.into();
        }
        let fields = wrong_fields(send(&site, messages).await);
        assert_eq!(fields, ["carrier_id"], "{trick:?}");
        let look = GetUploadRequest {
            shipment_id: trick.into(),
            ..query(&id, &photo)
        };
        let fields = wrong_fields(site.partner.get_upload(look).await);
        assert_eq!(fields, ["shipment_id"], "{trick:?}");
        let take = DownloadPhotoRequest {
            sha256: trick.into(),
            ..download_of(&id, &photo)
        };
        let fields = wrong_fields(site.partner.download_photo(take).await);
        assert_eq!(fields, ["sha256"], "{trick:?}");
    }
    assert_eq!(files(&site), BTreeSet::new());
}

#[tokio::test]
async fn another_firm_neither_uploads_to_a_shipment_nor_sees_its_photos() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    join(&mut site, "bolt").await;
    let photo = jpeg(1_000, 6);
    store(&site, &id, &photo).await;
    let mut foreign = upload(header(&id, &photo), &photo);
    for message in &mut foreign {
        message.carrier_id = "bolt".into();
    }
    let unknown = || expected(Code::NotFound, "SHIPMENT_UNKNOWN");
    assert_eq!(refused(send(&site, foreign).await), unknown());
    let look = GetUploadRequest {
        carrier_id: "bolt".into(),
        ..query(&id, &photo)
    };
    assert_eq!(refused(site.partner.get_upload(look).await), unknown());
    let take = DownloadPhotoRequest {
        carrier_id: "bolt".into(),
        ..download_of(&id, &photo)
    };
    let answer = download(&mut site, take).await;
    assert_eq!(refused(answer), expected(Code::NotFound, "PHOTO_UNKNOWN"));
}

#[tokio::test]
async fn of_two_uploads_of_one_photo_at_once_one_file_comes() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let photo = jpeg(3_000_000, 7);
    let one = || send(&site, upload(header(&id, &photo), &photo));
    let (a, b, c) = tokio::join!(one(), one(), one());
    let outcomes = [a, b, c];
    // The latest goes on; another ends, or finds the photo there.
    assert!(outcomes.iter().any(Result::is_ok));
    for outcome in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(
            refused(outcome),
            expected(Code::Aborted, "UPLOAD_TAKEN_OVER")
        );
    }
    assert_eq!(files(&site), BTreeSet::from([place_of(&photo)]));
    assert_eq!(
        download(&mut site, download_of(&id, &photo))
            .await
            .expect("a photo"),
        photo
    );
}

#[tokio::test]
async fn a_firm_uploads_so_much_in_a_day() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let large = 5 * 1024 * 1024;
    for seed in 0..(QUOTA_MIB / 5) as u8 {
        store(&site, &id, &jpeg(large, seed)).await;
    }
    let photo = jpeg(large, 200);
    let answer = send(&site, upload(header(&id, &photo), &photo)).await;
    assert_eq!(
        refused(answer),
        expected(Code::ResourceExhausted, "PHOTO_QUOTA_USED_UP")
    );
    assert_eq!(
        state(&mut site, &id, &photo).await,
        (PhotoState::Pending, 0)
    );
}

#[tokio::test]
async fn who_sends_nothing_more_is_not_waited_for() {
    let mut site = Site::start_with(|config| config.app.photo_stall_secs = 1).await;
    let id = ready(&mut site).await;
    let photo = jpeg(100_000, 8);
    let (sender, receiver) = mpsc::channel(8);
    for message in upload(header(&id, &photo), &photo).into_iter().take(2) {
        sender.send(message).await.expect("taken");
    }
    let answer = site
        .partner
        .upload_photo(ReceiverStream::new(receiver))
        .await;
    assert_eq!(
        refused(answer),
        expected(Code::DeadlineExceeded, "UPLOAD_STALLED")
    );
    assert_eq!(
        state(&mut site, &id, &photo).await,
        (PhotoState::Pending, CHUNK as i64)
    );
}

#[tokio::test]
async fn a_photo_goes_with_its_household_and_when_its_time_is_over() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let (own, other) = (jpeg(1_000, 9), jpeg(1_000, 10));
    let of_household = PhotoHeader {
        household_id: "h-1".into(),
        ..header(&id, &own)
    };
    ok(send(&site, upload(of_household, &own)).await);
    store(&site, &id, &other).await;
    assert_eq!(files(&site).len(), 2);
    site.notification
        .publish::<NotificationEvent>(ContactErased {
            household_id: "h-1".into(),
        });
    becomes(&site, BTreeSet::from([place_of(&other)])).await;
    assert_eq!(state(&mut site, &id, &own).await.0, PhotoState::Erased);
    let answer = download(&mut site, download_of(&id, &own)).await;
    let erased = expected(Code::FailedPrecondition, "PHOTO_ERASED");
    assert_eq!(refused(answer), erased);

    let later = AdvanceClockRequest {
        to: Some(to_proto(START.plus_minutes(91 * 24 * 60))),
    };
    ok(site.admin.advance_clock(later).await);
    becomes(&site, BTreeSet::new()).await;
    assert_eq!(state(&mut site, &id, &other).await.0, PhotoState::Erased);
}

#[tokio::test]
async fn a_photo_that_the_disk_has_lost_is_told_and_may_come_again() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let photo = jpeg(1_000, 11);
    store(&site, &id, &photo).await;
    let path = site.data().join("0.blobs").join(place_of(&photo));
    std::fs::write(&path, b"something else").expect("written");
    let answer = download(&mut site, download_of(&id, &photo)).await;
    assert_eq!(refused(answer), expected(Code::DataLoss, "PHOTO_MISSING"));
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(state(&mut site, &id, &photo).await.0, PhotoState::Missing);
    store(&site, &id, &photo).await;
    assert_eq!(state(&mut site, &id, &photo).await.0, PhotoState::Stored);
}

#[tokio::test]
async fn what_was_stored_or_cut_off_before_a_restart_is_there_after_it() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let (whole, cut) = (jpeg(70_000, 12), jpeg(70_000, 13));
    store(&site, &id, &whole).await;
    let answer = send(&site, upload(header(&id, &cut), &cut[..30_000])).await;
    let incomplete = expected(Code::FailedPrecondition, "UPLOAD_INCOMPLETE");
    assert_eq!(refused(answer), incomplete);
    site.restart().await;
    let photo = download(&mut site, download_of(&id, &whole)).await;
    assert_eq!(photo.expect("a photo"), whole);
    let begun = state(&mut site, &id, &cut).await;
    assert_eq!(begun, (PhotoState::Pending, 30_000));
    let rest = PhotoHeader {
        offset_bytes: 30_000,
        ..header(&id, &cut)
    };
    ok(send(&site, upload(rest, &cut[30_000..])).await);
    let both = BTreeSet::from([place_of(&whole), place_of(&cut)]);
    assert_eq!(files(&site), both);
}

#[tokio::test]
async fn a_firm_has_so_many_uploads_under_way() {
    let mut site = Site::start().await;
    let id = ready(&mut site).await;
    let mut open = Vec::new();
    for seed in 20..28 {
        let photo = jpeg(100_000, seed);
        let (sender, receiver) = mpsc::channel(8);
        for message in upload(header(&id, &photo), &photo).into_iter().take(2) {
            sender.send(message).await.expect("taken");
        }
        let mut partner = site.partner.clone();
        let call = async move { partner.upload_photo(ReceiverStream::new(receiver)).await };
        open.push((sender, tokio::spawn(call)));
        let begun = async {
            while state(&mut site, &id, &photo).await.1 == 0 {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), begun).await;
        waited.expect("a chunk is there");
    }
    let photo = jpeg(1_000, 30);
    let answer = send(&site, upload(header(&id, &photo), &photo)).await;
    assert_eq!(
        refused(answer),
        expected(Code::ResourceExhausted, "UPLOADS_TOO_MANY")
    );
    // Those that are given up leave room.
    for (sender, call) in open {
        drop(sender);
        let ended = call.await.expect("no panic");
        let incomplete = expected(Code::FailedPrecondition, "UPLOAD_INCOMPLETE");
        assert_eq!(refused(ended), incomplete);
    }
    store(&site, &id, &photo).await;
}
