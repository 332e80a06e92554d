//! Keys: their text, their ids, and every way to give a wrong one.

use signed_note::{Signer, StandardSigner, StandardVerifier, Verifier};
use transparency::{KeyError, KeyUse, LogKeys, PublicKey, SecretKey, Validity};

use crate::support::{log_key, origin, witness_key};

#[test]
fn keys_read_as_they_are_written() {
    for key in [log_key("order", 1), witness_key("regulator.example/w1", 2)] {
        let public: PublicKey = key.public().to_string().parse().unwrap();
        assert_eq!(public, *key.public());
        let secret: SecretKey = key.reveal().parse().unwrap();
        assert_eq!(secret.reveal(), key.reveal());
        assert!(!format!("{key:?}").contains(&key.reveal()[40..]));
    }
}

#[test]
fn a_logs_keys_are_those_of_signed_notes() {
    let key = log_key("order", 1);
    let signer = StandardSigner::new(&key.reveal()).unwrap();
    let verifier = StandardVerifier::new(&key.public().to_string()).unwrap();
    assert_eq!(signer.key_id(), key.public().label().id.0);
    let signature = signer.sign(b"text\n").unwrap();
    assert!(verifier.verify(b"text\n", &signature));
    // A key of the specification's own example.
    let known = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let known: PublicKey = known.parse().unwrap();
    assert_eq!(known.label().to_string(), "PeterNeumann+c74f20a3");
}

#[test]
fn each_use_has_its_own_id() {
    let name = origin("order").to_string();
    let log = SecretKey::generate(&name, KeyUse::Log, [1; 32]).unwrap();
    let cosigner = SecretKey::generate(&name, KeyUse::Cosigner, [1; 32]).unwrap();
    assert_eq!(log.public().bytes(), cosigner.public().bytes());
    assert_ne!(log.public().label().id, cosigner.public().label().id);
}

#[test]
fn each_wrong_key_is_refused_for_its_reason() {
    let read = |text: &str| text.parse::<PublicKey>().unwrap_err();
    let key = log_key("order", 1);
    let text = key.public().to_string();
    let (label, _) = text.rsplit_once('+').unwrap();

    assert_eq!(read(&key.reveal()), KeyError::SecretGiven);
    assert_eq!(
        text.parse::<SecretKey>().unwrap_err(),
        KeyError::PublicGiven
    );
    assert_eq!(read("order"), KeyError::Malformed);
    assert_eq!(read(&format!("{label}+!")), KeyError::Malformed);
    assert_eq!(read(&text.to_uppercase()), KeyError::Malformed);
    assert!(matches!(
        read(&text.replace("order", "or der")),
        KeyError::Name(_)
    ));
    assert!(matches!(
        read(&text.replace("order", "inventory")),
        KeyError::IdDiffers { .. }
    ));
    // Type 2, ECDSA; then a key of 3 bytes.
    assert_eq!(read(&format!("{label}+AgAA")), KeyError::UnknownType(2));
    assert!(matches!(
        read(&format!("{label}+AQAAAA==")),
        KeyError::NotAKey { .. }
    ));
    // The neutral element of the curve: it verifies what nobody signed.
    let weak = "AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert!(matches!(
        read(&format!("{label}+{weak}")),
        KeyError::NotAKey { .. }
    ));
    assert!(matches!(
        SecretKey::generate("a b", KeyUse::Log, [0; 32]),
        Err(KeyError::Name(_))
    ));
}

#[test]
fn a_logs_key_set_takes_its_own_keys_only() {
    let mut keys = LogKeys::new(origin("order"));
    let set =
        |keys: &mut LogKeys, key: &SecretKey| keys.set(key.public().clone(), Validity::ALWAYS);
    set(&mut keys, &log_key("order", 1)).unwrap();
    assert!(matches!(
        set(&mut keys, &log_key("inventory", 1)),
        Err(KeyError::ForeignName { .. })
    ));
    let cosigner = witness_key(&origin("order").to_string(), 1);
    assert!(matches!(
        set(&mut keys, &cosigner),
        Err(KeyError::WrongUse { .. })
    ));
    let stranger = log_key("order", 2);
    assert!(matches!(
        keys.set_validity(stranger.public().label(), Validity::Revoked),
        Err(KeyError::UnknownKey { .. })
    ));
}
