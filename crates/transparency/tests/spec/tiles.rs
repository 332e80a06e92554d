//! Paths and bundles of C2SP tlog-tiles.

use transparency::{
    MemoryTiles, RecordTooLong, TilePath, TileStore, decode_entries, encode_entries,
};

#[test]
fn paths_are_those_of_the_specification() {
    let hashes = |level, index, width| TilePath::hashes(level, index, width).unwrap();
    let entries = |index, width| TilePath::entries(index, width).unwrap();
    for (path, text) in [
        (hashes(0, 0, 256), "tile/0/000"),
        (hashes(0, 273, 112), "tile/0/273.p/112"),
        (hashes(1, 1_234_067, 256), "tile/1/x001/x234/067"),
        (hashes(2, 0, 1), "tile/2/000.p/1"),
        (hashes(63, 5, 255), "tile/63/005.p/255"),
        (entries(1000, 256), "tile/entries/x001/000"),
        (entries(4, 17), "tile/entries/004.p/17"),
    ] {
        assert_eq!(path.to_string(), text);
        assert_eq!(text.parse(), Ok(path));
    }
}

#[test]
fn what_is_no_path_is_refused() {
    for text in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/00/000",
        "tile/+1/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/8/0/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/007",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/../000",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/999999999999999999999999999999999999999999999999999999",
    ] {
        assert!(text.parse::<TilePath>().is_err(), "{text:?}");
    }
    assert_eq!(TilePath::hashes(64, 0, 1), None);
    assert_eq!(TilePath::hashes(0, 0, 0), None);
    assert_eq!(TilePath::entries(0, 257), None);
}

#[test]
fn a_stored_tile_answers_for_the_narrower_ones() {
    let tiles = MemoryTiles::default();
    let path = |width| TilePath::hashes(0, 0, width).unwrap();
    tiles.put(&path(2), &[7; 64]).unwrap();
    tiles.put(&path(1), &[7; 32]).unwrap();
    assert_eq!(tiles.get(&path(1)).unwrap(), Some(vec![7; 32]));
    assert_eq!(tiles.get(&path(2)).unwrap(), Some(vec![7; 64]));
    assert_eq!(tiles.get(&path(3)).unwrap(), None);
    // Other bytes are another tile: nothing of the old one is left.
    tiles.put(&path(1), &[8; 32]).unwrap();
    assert_eq!(tiles.get(&path(2)).unwrap(), None);
}

#[test]
fn bundles_keep_records_apart() {
    let records: [&[u8]; 3] = [b"one", b"", b"three"];
    let bundle = encode_entries(records).unwrap();
    assert_eq!(bundle, b"\0\x03one\0\0\0\x05three");
    assert_eq!(decode_entries(&bundle), Some(records.to_vec()));
    assert_eq!(decode_entries(&bundle[..bundle.len() - 1]), None);
    assert_eq!(decode_entries(&bundle[..6]), None);
    let long = vec![0; 65_536];
    assert_eq!(
        encode_entries([&long[..]]),
        Err(RecordTooLong { bytes: 65_536 })
    );
}
