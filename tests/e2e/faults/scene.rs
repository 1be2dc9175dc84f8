//! What every case starts from: a testbed, an object, and something older where it will land.
//! It must never be shared by two cases.

use testbed::{Fault, FaultId, Operation, Testbed};

use super::trouble::Often;
use crate::harness::{Sandbox, content};

pub(super) const BUCKET: &str = "bucket";
pub(super) const OLD: &[u8] = b"what was there before";

pub(super) struct Scene {
    pub(super) testbed: Testbed,
    pub(super) sandbox: Sandbox,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::on(Testbed::spawn())
    }

    pub(super) fn on(testbed: Testbed) -> Self {
        testbed.create_bucket(BUCKET);
        Self { testbed, sandbox: Sandbox::new() }
    }

    /// An object of that size below `p/`; gives its bytes.
    pub(super) fn object(&self, name: &str, size: u64) -> Vec<u8> {
        let bytes = content(name, size);
        self.testbed.put_object(BUCKET, &format!("p/{name}"), bytes.clone());
        bytes
    }

    /// Sets a fault on the `from`-th matching request and, if it never ends, all after it.
    pub(super) fn trouble(&self, fault: Fault, from: u64, often: Often) -> FaultId {
        self.testbed.fault(match often {
            Often::Once => fault.nth(from),
            Often::Always => fault.occurrence(from..=u64::MAX),
        })
    }

    /// Bytes of bodies that the server sent in reply to such requests.
    pub(super) fn bytes_sent(&self, operation: Operation) -> u64 {
        self.testbed.requests_of(operation).iter().map(|request| request.bytes_sent).sum()
    }

    /// Bytes of bodies that the server took in with such requests.
    pub(super) fn bytes_received(&self, operation: Operation) -> u64 {
        self.testbed.requests_of(operation).iter().map(|request| request.bytes_received).sum()
    }

    #[track_caller]
    pub(super) fn fired(&self, fault: FaultId) {
        assert!(self.testbed.hits(fault) > 0, "the fault never happened");
    }

    #[track_caller]
    pub(super) fn no_open_uploads(&self) {
        let open = self.testbed.open_uploads(BUCKET);
        assert!(open.is_empty(), "multipart uploads are left: {open:?}");
    }
}
