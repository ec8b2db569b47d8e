//! What every checkpoint store must keep to.

use super::{CheckpointStore, StoreError};
use bytes::Bytes;

/// Checks a store that is empty.
///
/// # Panics
/// If it does not keep the contract.
pub fn check(store: &CheckpointStore) {
    whole(store);
    once(store);
    missing(store);
}

fn whole(store: &CheckpointStore) {
    assert!(store.list("files").expect("lists").is_empty(), "nothing is there yet");
    let long = Bytes::from(vec![7; 3 << 20]);
    for _ in 0..2 {
        store.put("files/long", long.clone()).expect("is written");
    }
    store.put("files/empty", Bytes::new()).expect("is written");
    store.put("other/short", Bytes::from_static(b"short")).expect("is written");
    assert_eq!(store.get("files/long").expect("is read"), long);
    assert_eq!(store.get_range("other/short", 1..3).expect("is read"), b"ho"[..]);
    let listed = store.list("files").expect("lists");
    let listed: Vec<_> = listed.iter().map(|file| (file.name.as_str(), file.bytes)).collect();
    assert_eq!(listed, [("files/empty", 0), ("files/long", 3 << 20)], "in order, of one folder");
}

fn once(store: &CheckpointStore) {
    let create = |bytes| store.create("once/name", Bytes::from_static(bytes));
    assert_eq!(create(b"first"), Ok(true));
    assert_eq!(create(b"second"), Ok(false));
    assert_eq!(store.get("once/name").expect("is read"), b"first"[..]);
}

fn missing(store: &CheckpointStore) {
    for _ in 0..2 {
        store.remove("once/name").expect("is removed, or was not there");
    }
    let told = store.get("once/name").expect_err("it is gone");
    assert!(matches!(&told, StoreError::Missing { name, .. } if name == "once/name"), "{told}");
    assert!(store.get_range("once/name", 0..1).is_err());
}
