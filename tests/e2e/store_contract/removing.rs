//! What a store promises to those who remove: what it says is gone is gone, and nothing else is.

use haul::domain::location::{Bucket, Key};
use haul::domain::object::ETag;
use haul::storage::error::Kind;
use haul::storage::object_store::{Removal, Removed, Result};

use super::{Can, Contract, kind};

pub(super) async fn what_is_removed_is_gone_and_nothing_else(contract: &Contract) {
    for key in ["k", "k2", "k/below"] {
        // To some servers a key is a path: no `k/below` beside `k`.
        let key = if contract.can.takes_any_key == Can::Yes { key } else { &key.replace('/', "-") };
        contract.put(key, "bytes").await;
    }
    let removal = removal(contract, "k");
    contract.store.delete(&contract.bucket, &removal).await.expect("it is there");
    assert!(contract.is_missing("k").await);
    assert_eq!(contract.read("k2").await, "bytes");
    let again = contract.store.delete(&contract.bucket, &removal).await;
    again.expect("what is not there is no error");
    let bucket = Bucket::new("no-such-bucket-anywhere").expect("a name");
    assert_eq!(kind(contract.store.delete(&bucket, &removal).await), Kind::MissingBucket);
}

pub(super) async fn a_pinned_removal_leaves_another_version(contract: &Contract) {
    let first = contract.put("k", "first").await.etag.expect("a tag");
    let second = contract.put("k", "second").await.etag.expect("a tag");
    let pinned = |etag: &ETag| Removal { if_match: Some(etag.clone()), ..removal(contract, "k") };
    let (stale, fresh) = (pinned(&first), pinned(&second));
    assert_eq!(kind(contract.store.delete(&contract.bucket, &stale).await), Kind::Changed);
    assert_eq!(contract.read("k").await, "second");
    contract.store.delete(&contract.bucket, &fresh).await.expect("it is that one");
    assert!(contract.is_missing("k").await);
    let missing = kind(contract.store.delete(&contract.bucket, &fresh).await);
    assert!(matches!(missing, Kind::MissingKey | Kind::Changed), "{missing:?}");
}

pub(super) async fn many_are_removed_with_one_request(contract: &Contract) {
    let keys = ["a", "b", "c d", "<&>\"'", "é日"];
    for key in keys.into_iter().chain(["stays"]) {
        contract.put(key, "bytes").await;
    }
    let named = keys.into_iter().chain(["missing"]).map(|key| removal(contract, key));
    for result in many(contract, &named.collect::<Vec<_>>()).await {
        result.expect("each is removed, or is not there");
    }
    for key in keys {
        assert!(contract.is_missing(key).await, "{key:?} is still there");
    }
    assert_eq!(contract.read("stays").await, "bytes");
    let bucket = Bucket::new("no-such-bucket-anywhere").expect("a name");
    let elsewhere = contract.store.delete_many(&bucket, &[removal(contract, "a")]).await;
    assert_eq!(kind(elsewhere), Kind::MissingBucket);
}

/// Told in XML, some of these would be the others.
pub(super) async fn odd_keys_are_removed_and_not_their_neighbours(contract: &Contract) {
    if contract.can.takes_any_key == Can::No {
        return;
    }
    let neighbours = ["a\nb", "a b", "c", "d%20", "e+f"];
    let odd = ["a\rb", "a\u{1}b", "c ", "d ", "e f", "a//b", "..", "x", "x/y"];
    for key in neighbours.into_iter().chain(odd) {
        contract.put(key, "bytes").await;
    }
    for key in odd {
        let removal = removal(contract, key);
        contract.store.delete(&contract.bucket, &removal).await.expect("it is there");
        assert!(contract.is_missing(key).await, "{key:?} is still there");
    }
    for key in neighbours {
        assert_eq!(contract.read(key).await, "bytes", "{key:?}");
    }
}

pub(super) async fn a_bucket_comes_and_goes(contract: &Contract) {
    let bucket = Bucket::new("contract-comes-and-goes").expect("a name");
    contract.store.create_bucket(&bucket).await.expect("nothing has the name");
    let listed = contract.store.list_buckets().await.expect("they can be listed");
    assert!(listed.iter().any(|listed| listed.name == bucket.as_str()), "{listed:?}");
    contract.store.delete_bucket(&bucket).await.expect("it is empty");
    assert_eq!(kind(contract.store.delete_bucket(&bucket).await), Kind::MissingBucket);
}

/// Whether that is an error differs from store to store.
pub(super) async fn another_version_than_the_one_that_is_there_stays(contract: &Contract) {
    if contract.can.tells_versions_apart == Can::No {
        return;
    }
    contract.put("k", "bytes").await;
    let version = Some("3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY".into());
    let removal = Removal { version, ..removal(contract, "k") };
    let _either = contract.store.delete(&contract.bucket, &removal).await;
    let _either = contract.store.delete_many(&contract.bucket, &[removal]).await;
    assert_eq!(contract.read("k").await, "bytes");
}

async fn many(contract: &Contract, removals: &[Removal]) -> Vec<Result<Removed>> {
    let results = contract.store.delete_many(&contract.bucket, removals).await;
    results.unwrap_or_else(|error| panic!("could not remove many: {error}"))
}

fn removal(contract: &Contract, key: &str) -> Removal {
    Removal::new(Key::new(&format!("{}{key}", contract.prefix)).expect("a key"))
}
