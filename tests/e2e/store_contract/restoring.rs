//! What a store with archives promises: what is asked for comes back, and to ask twice does no harm.

use std::sync::Arc;

use haul::domain::attributes::Attributes;
use haul::domain::restore::{ArchiveState, Restore, Tier};
use haul::storage::error::Kind;
use haul::storage::object_store::{Write, WriteIf};

use super::{Can, Contract, body, kind};

pub(super) async fn an_archived_object_is_asked_for_and_no_other(contract: &Contract) {
    if contract.can.restores == Can::No {
        return;
    }
    let attributes = Attributes { storage_class: Some("GLACIER".into()), ..Attributes::default() };
    let write = Write { attributes: Arc::new(attributes), condition: WriteIf::Always };
    let cold = contract.name("cold");
    contract.store.put(&cold, body("bytes"), &write).await.expect("it is written");
    contract.put("warm", "bytes").await;
    let state = || async {
        let details = contract.store.stat(&cold).await.expect("it is there");
        ArchiveState::of(&details)
    };
    assert_eq!(state().await, ArchiveState::Archived);
    let how = Restore { days: Some(1), tier: Tier::Standard };
    for _ in 0..2 {
        contract.store.restore(&cold, &how).await.expect("to ask again is no error");
        let state = state().await;
        let is_asked_for = matches!(state, ArchiveState::Restoring | ArchiveState::Restored);
        assert!(is_asked_for, "{state:?}");
    }
    let warm = contract.store.restore(&contract.name("warm"), &how).await;
    assert_eq!(kind(warm), Kind::Refused);
    let missing = contract.store.restore(&contract.name("missing"), &how).await;
    assert_eq!(kind(missing), Kind::MissingKey);
}
