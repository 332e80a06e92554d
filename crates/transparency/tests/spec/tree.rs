//! The growing tree: right roots, right tiles, and going on after a restart.

use proptest::prelude::*;
use transparency::{Hash, MemoryTiles, TilePath, TileStore, Tree, TreeError, TreeHead};

use crate::support::{record, root_by_definition, stored_tree};

/// The inputs that Certificate Transparency's implementations test with, and
/// the root after each.
const KNOWN: [(&[u8], &str); 8] = [
    (
        b"",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    ),
    (
        b"\x00",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    ),
    (
        b"\x10",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    ),
    (
        b"\x20\x21",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (
        b"\x30\x31",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    ),
    (
        b"\x40\x41\x42\x43",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    ),
    (
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    ),
    (
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
];

fn hex(hash: &Hash) -> String {
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn roots_are_the_known_ones() {
    let mut tree = Tree::new();
    assert_eq!(tree.head(), TreeHead::EMPTY);
    assert_eq!(
        hex(&tree.head().root),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (record, root) in KNOWN {
        tree.append(record);
        assert_eq!(hex(&tree.head().root), root, "{} records", tree.size());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_tree_restarted_anywhere_has_the_root_of_the_definition(
        parts in prop::collection::vec(0u64..700, 1..5)
    ) {
        let tiles = MemoryTiles::default();
        let mut tree = Tree::new();
        let mut records = Vec::new();
        for part in parts {
            for _ in 0..part {
                let record = record(tree.size());
                tree.append(&record);
                records.push(record);
            }
            tree.save(&tiles).unwrap();
            let head = tree.head();
            prop_assert_eq!(head.root, root_by_definition(&records));
            tree = Tree::open(&tiles, head).unwrap();
            prop_assert_eq!(tree.head(), head);
        }
    }
}

#[test]
fn two_levels_of_tiles_grow_and_resume() {
    let (mut grown, _) = stored_tree(0);
    let tiles = MemoryTiles::default();
    for n in 0..70_000 {
        grown.append(&record(n));
    }
    assert_eq!(grown.unsaved().count(), 273 + 1 + 1 + 1 + 1);
    assert_eq!(grown.save(&tiles).unwrap(), 277);
    assert_eq!(grown.save(&tiles).unwrap(), 0, "nothing changed since");
    for (level, index, width) in [
        (0, 272, 256),
        (0, 273, 112),
        (1, 0, 256),
        (1, 1, 17),
        (2, 0, 1),
    ] {
        let path = TilePath::hashes(level, index, width).unwrap();
        let bytes = tiles.get(&path).unwrap().unwrap();
        assert_eq!(bytes.len(), usize::from(width) * 32, "{path}");
    }
    let mut resumed = Tree::open(&tiles, grown.head()).unwrap();
    for n in 70_000..70_400 {
        grown.append(&record(n));
        resumed.append(&record(n));
    }
    assert_eq!(resumed.head(), grown.head());
    let tiles_of = |tree: &Tree| -> Vec<_> {
        let unsaved = tree.unsaved();
        unsaved
            .map(|(path, bytes)| (path, bytes.to_vec()))
            .collect()
    };
    assert_eq!(tiles_of(&resumed), tiles_of(&grown));
}

#[test]
fn saving_again_after_a_failure_stores_everything() {
    struct Full;
    impl TileStore for Full {
        fn get(&self, _: &TilePath) -> Result<Option<Vec<u8>>, transparency::StoreError> {
            Ok(None)
        }

        fn put(&self, path: &TilePath, _: &[u8]) -> Result<(), transparency::StoreError> {
            Err(transparency::StoreError {
                path: *path,
                source: "no space left".into(),
            })
        }
    }
    let mut tree = Tree::new();
    for n in 0..300 {
        tree.append(&record(n));
    }
    assert!(tree.save(&Full).is_err());
    let tiles = MemoryTiles::default();
    assert_eq!(tree.save(&tiles).unwrap(), 3);
    Tree::open(&tiles, tree.head()).unwrap();
}

#[test]
fn damaged_tiles_are_named() {
    let (tree, tiles) = stored_tree(300);
    let head = tree.head();
    let path = TilePath::hashes(0, 1, 44).unwrap();

    let missing = Tree::open(&MemoryTiles::default(), head).unwrap_err();
    assert!(matches!(missing, TreeError::MissingTile { path: at } if at == path));

    let mut bytes = tiles.get(&path).unwrap().unwrap();
    bytes[100] ^= 1;
    tiles.put(&path, &bytes).unwrap();
    let differs = Tree::open(&tiles, head).unwrap_err();
    assert!(matches!(differs, TreeError::RootDiffers { expected, .. } if expected == head));

    struct Short;
    impl TileStore for Short {
        fn get(&self, _: &TilePath) -> Result<Option<Vec<u8>>, transparency::StoreError> {
            Ok(Some(vec![0; 31]))
        }

        fn put(&self, _: &TilePath, _: &[u8]) -> Result<(), transparency::StoreError> {
            Ok(())
        }
    }
    let short = Tree::open(&Short, head).unwrap_err();
    assert!(matches!(short, TreeError::WrongLength { found: 31, .. }));
}
