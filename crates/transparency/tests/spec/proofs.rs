//! Proofs made from stored tiles hold, and nothing else does.

use proptest::prelude::*;
use transparency::{
    ConsistencyProof, Hash, InclusionProof, ProofError, Prover, TilePath, TileStore, Tree, TreeHead,
};

use crate::support::{record, root_by_definition, stored_tree};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_record_and_every_earlier_tree_is_proven(
        size in 1u64..1500, at in 0.0..1.0f64, old in 0.0..=1.0f64
    ) {
        let (tree, tiles) = stored_tree(size);
        let head = tree.head();
        let prover = Prover::new(&tiles, head).unwrap();
        let index = (at * size as f64) as u64;
        let proof = prover.inclusion(index).unwrap();
        proof.check(&head, index, &record(index)).unwrap();

        let old = (old * size as f64) as u64;
        let records: Vec<_> = (0..old).map(record).collect();
        let earlier = TreeHead { size: old, root: root_by_definition(&records) };
        prop_assert_eq!(prover.root_at(old).unwrap(), earlier.root);
        let proof = prover.consistency(old).unwrap();
        proof.check(&earlier, &head).unwrap();
    }
}

#[test]
fn a_proof_holds_for_its_record_place_and_tree_only() {
    let (tree, tiles) = stored_tree(1000);
    let head = tree.head();
    let proof = Prover::new(&tiles, head).unwrap().inclusion(500).unwrap();
    let refused = |proof: &InclusionProof, head: &TreeHead, index, record: &[u8]| {
        let error = proof.check(head, index, record).unwrap_err();
        assert!(matches!(error, ProofError::NotIncluded { .. }), "{error}");
    };
    refused(&proof, &head, 501, &record(500));
    refused(&proof, &head, 500, &record(501));
    let (other, _) = stored_tree(999);
    refused(&proof, &other.head(), 500, &record(500));
    for at in 0..proof.0.len() {
        let mut altered = proof.clone();
        altered.0[at].0[31] ^= 1;
        refused(&altered, &head, 500, &record(500));
        let mut shorter = proof.clone();
        shorter.0.remove(at);
        refused(&shorter, &head, 500, &record(500));
        let mut longer = proof.clone();
        longer.0.insert(at, Hash([0; 32]));
        refused(&longer, &head, 500, &record(500));
    }
    refused(
        &InclusionProof(vec![Hash([0; 32]); 100_000]),
        &head,
        500,
        &record(500),
    );
    let beyond = proof.check(&head, 1000, &record(1000)).unwrap_err();
    assert!(matches!(
        beyond,
        ProofError::BeyondTree {
            index: 1000,
            size: 1000
        }
    ));
}

#[test]
fn a_rewritten_log_is_not_consistent() {
    let (old, _) = stored_tree(600);
    let mut rewritten = Tree::new();
    for n in 0..900 {
        let n = if n == 17 { 18 } else { n };
        rewritten.append(&record(n));
    }
    let tiles = transparency::MemoryTiles::default();
    rewritten.save(&tiles).unwrap();
    let head = rewritten.head();
    let proof = Prover::new(&tiles, head).unwrap().consistency(600).unwrap();
    let error = proof.check(&old.head(), &head).unwrap_err();
    assert!(matches!(error, ProofError::NotConsistent { .. }));
    let error = proof.check(&head, &old.head()).unwrap_err();
    assert!(matches!(error, ProofError::Shrunk { old: 900, new: 600 }));
}

#[test]
fn the_empty_tree_and_the_same_tree_need_no_proof() {
    let none = ConsistencyProof::default();
    let some = ConsistencyProof(vec![Hash([1; 32])]);
    let (tree, _) = stored_tree(5);
    let head = tree.head();
    none.check(&TreeHead::EMPTY, &head).unwrap();
    none.check(&TreeHead::EMPTY, &TreeHead::EMPTY).unwrap();
    none.check(&head, &head).unwrap();
    assert!(some.check(&TreeHead::EMPTY, &head).is_err());
    assert!(some.check(&head, &head).is_err());
    let no_empty_tree = TreeHead { size: 0, ..head };
    assert!(none.check(&no_empty_tree, &head).is_err());
    assert!(none.check(&TreeHead::EMPTY, &no_empty_tree).is_err());
}

#[test]
fn a_prover_follows_its_log_and_no_other() {
    let (mut tree, tiles) = stored_tree(200);
    let old = tree.head();
    let mut prover = Prover::new(&tiles, old).unwrap();
    for n in 200..70_000 {
        tree.append(&record(n));
    }
    tree.save(&tiles).unwrap();
    let proof = prover.advance(tree.head()).unwrap();
    proof.check(&old, &tree.head()).unwrap();
    assert_eq!(prover.head(), tree.head());
    for index in [0, 199, 200, 65_535, 65_536, 69_999] {
        let proof = prover.inclusion(index).unwrap();
        proof.check(&tree.head(), index, &record(index)).unwrap();
    }

    // The store now holds another log's tiles; the prover stays where it was.
    let mut other = Tree::new();
    for n in 0..70_001 {
        other.append(&record(n + 1));
    }
    other.save(&tiles).unwrap();
    let error = prover.advance(other.head()).unwrap_err();
    assert!(matches!(error, ProofError::NotConsistent { .. }), "{error}");
    assert_eq!(prover.head(), tree.head());
    assert!(matches!(
        prover.advance(old).unwrap_err(),
        ProofError::Shrunk { .. }
    ));
}

#[test]
fn a_damaged_tile_proves_nothing() {
    let (tree, tiles) = stored_tree(1000);
    let path = TilePath::hashes(0, 1, 256).unwrap();
    let mut bytes = tiles.get(&path).unwrap().unwrap();
    bytes[5000] ^= 1;
    tiles.put(&path, &bytes).unwrap();
    let prover = Prover::new(&tiles, tree.head()).unwrap();
    let error = prover.inclusion(300).unwrap_err();
    assert!(matches!(error, ProofError::DamagedTile { path: at } if at == path));
    // Other tiles still prove.
    let proof = prover.inclusion(10).unwrap();
    proof.check(&tree.head(), 10, &record(10)).unwrap();
    assert!(matches!(
        prover.inclusion(1000).unwrap_err(),
        ProofError::BeyondTree { .. }
    ));
}

#[test]
fn proofs_all_over_a_log_hold_and_what_is_damaged_later_is_named() {
    // More whole tiles than are kept whole.
    const RECORDS: u64 = 600 * 256 + 100;
    let (tree, tiles) = stored_tree(RECORDS);
    let head = tree.head();
    let prover = Prover::new(&tiles, head).unwrap();
    // Each tile several times, never twice in a row.
    let scattered = || (0..3_000).map(|n| n * 10_007 % RECORDS);
    for index in scattered() {
        let proof = prover.inclusion(index).unwrap();
        proof.check(&head, index, &record(index)).unwrap();
    }
    for index in 0..600 {
        let path = TilePath::hashes(0, index, 256).unwrap();
        let mut bytes = tiles.get(&path).unwrap().unwrap();
        bytes.iter_mut().for_each(|byte| *byte ^= 1);
        tiles.put(&path, &bytes).unwrap();
    }
    let mut named = 0;
    for index in scattered() {
        match prover.inclusion(index) {
            Ok(proof) => proof.check(&head, index, &record(index)).unwrap(),
            Err(ProofError::DamagedTile { path }) => {
                assert_eq!(path, TilePath::hashes(0, index / 256, 256).unwrap());
                named += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(named > 0, "some tiles had to be read again");
}
