//! Whether a reply is about the version that was asked for. Some stores answer with what there is
//! now, whatever version was named: whoever took that for the version would keep, or remove, another
//! one.

use crate::domain::location::ObjectName;
use crate::domain::object::ObjectFacts;
use crate::storage::error::{Kind, NO_VERSION, StoreError};
use crate::storage::object_store::Result;

const OTHER: &str = "the store does not tell versions of it apart, and has another one";
const MARKER: &str = "this version is a delete marker, which has no bytes";
const NO_ID: &str = "it may be no version ID of this store";

/// A reply to a request for `object`, which has these facts.
pub(super) fn answered<T>(
    operation: &'static str,
    object: &ObjectName,
    reply: Result<T>,
    facts: impl FnOnce(&T) -> &ObjectFacts,
) -> Result<T> {
    match reply {
        Ok(reply) if !object.is_answered_by(facts(&reply).version.as_deref()) => {
            Err(StoreError::new(operation, Kind::Refused).with_message(OTHER))
        }
        Err(error) if object.version.is_some() => Err(explained(error)),
        reply => reply,
    }
}

/// What an error says of a version. HEAD has no words for it, and those of a GET are about methods.
fn explained(error: StoreError) -> StoreError {
    let text = match (&error.kind, error.status) {
        (Kind::Refused, Some(405)) => MARKER,
        (Kind::MissingKey, _) if error.message.is_none() => NO_VERSION,
        (Kind::Refused, Some(400)) if error.code.is_none() && error.message.is_none() => NO_ID,
        _ => return error,
    };
    error.with_message(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::location::{Bucket, Key};
    use crate::domain::object::StoredChecksum;
    use crate::domain::preserved::Preserved;

    fn facts(version: Option<&str>) -> ObjectFacts {
        ObjectFacts {
            size: 1,
            etag: None,
            version: version.map(Into::into),
            last_modified: None,
            checksum: StoredChecksum::None,
            preserved: Preserved::default(),
        }
    }

    fn object(version: Option<&str>) -> ObjectName {
        let name =
            ObjectName::new(Bucket::new("b").expect("a name"), Key::new("k").expect("a key"));
        ObjectName { version: version.map(Into::into), ..name }
    }

    #[test]
    fn no_reply_is_taken_that_is_about_another_version() {
        for (asked, told, is_taken) in [
            (None, None, true),
            (None, Some("a"), true),
            (Some("a"), Some("a"), true),
            (Some("null"), None, true),
            (Some("null"), Some("null"), true),
            (Some("a"), None, false),
            (Some("a"), Some("b"), false),
            (Some("null"), Some("a"), false),
        ] {
            let reply = answered("HeadObject", &object(asked), Ok(facts(told)), |facts| facts);
            assert_eq!(reply.is_ok(), is_taken, "{asked:?} {told:?}");
        }
    }

    #[test]
    fn an_error_says_what_is_wrong_with_a_version_and_with_nothing_else() {
        let failed = |version, kind, status| {
            let error = StoreError { status: Some(status), ..StoreError::new("HeadObject", kind) };
            let reply =
                answered("HeadObject", &object(version), Err::<ObjectFacts, _>(error), |it| it);
            reply.expect_err("an error").message.as_deref().map(str::to_owned)
        };
        assert_eq!(failed(Some("a"), Kind::Refused, 405).as_deref(), Some(MARKER));
        assert_eq!(failed(Some("a"), Kind::MissingKey, 404).as_deref(), Some(NO_VERSION));
        assert_eq!(failed(Some("a"), Kind::Refused, 400).as_deref(), Some(NO_ID));
        assert_eq!(failed(Some("a"), Kind::Denied, 403), None);
        assert_eq!(failed(None, Kind::Refused, 405), None);
        assert_eq!(failed(None, Kind::MissingKey, 404), None);
    }
}
