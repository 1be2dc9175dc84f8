//! The faults of a soak: of each kind a small share of requests, drawn by a seed, so that one in
//! twenty of those that move bytes is hit. It must never hold one that a client can't get over:
//! what lasts is for other tests.

use std::fmt::Write as _;

use testbed::{Fault, FaultId, FaultKind, Operation, Testbed, WrongRange};

/// Of each kind, in a thousand requests that it fits; more of those that are few.
const SHARE: u64 = 4;
const SHARE_OF_PARTS: u64 = 15;
const SHARE_OF_COMPLETES: u64 = 50;

pub(super) type Faults = Vec<(String, FaultId)>;

/// Sets all faults.
pub(super) fn set(testbed: &Testbed, seed: u64) -> Faults {
    let mut faults = Vec::new();
    for (operation, share, kinds) in kinds() {
        for kind in kinds {
            let operation_name =
                operation.map_or("any request".to_owned(), |operation| operation.to_string());
            let mut name = format!("{operation_name}: {kind:?}");
            name.truncate(70);
            let fault = operation.map_or_else(
                || Fault::any(kind.clone()),
                |operation| Fault::new(operation, kind.clone()),
            );
            let id = testbed.fault(fault.drawn(seed.wrapping_add(faults.len() as u64), share));
            faults.push((name, id));
        }
    }
    faults
}

/// How often each fired.
pub(super) fn report(testbed: &Testbed, faults: &Faults, requests: u64) -> String {
    let mut text = String::from("| fault | hits |\n|---|--:|\n");
    for (name, id) in faults {
        writeln!(text, "| `{name}` | {} |", testbed.hits(*id)).expect("a string takes all");
    }
    let hits = hits(testbed, faults);
    let per_mille = hits * 1000 / requests.max(1);
    let percent = format!("{}.{}", per_mille / 10, per_mille % 10);
    writeln!(text, "\n{hits} faults in {requests} requests, {percent} %").expect("as above");
    text
}

/// A soak without them would show nothing.
pub(super) fn must_have_fired(testbed: &Testbed, faults: &Faults, requests: u64) {
    let hits = hits(testbed, faults);
    assert!(hits * 100 >= requests * 3, "only {hits} faults in {requests} requests");
}

fn hits(testbed: &Testbed, faults: &Faults) -> u64 {
    faults.iter().map(|(_, id)| testbed.hits(*id)).sum()
}

fn kinds() -> Vec<(Option<Operation>, u64, Vec<FaultKind>)> {
    let any = vec![
        FaultKind::internal_error(),
        FaultKind::slow_down(),
        FaultKind::request_timeout(),
        FaultKind::HtmlBody,
        FaultKind::ResetBeforeHeaders,
        FaultKind::CloseAfterReply,
    ];
    let reads = vec![
        FaultKind::Truncate { after_bytes: 100 },
        FaultKind::ResetInBody { after_bytes: 1000 },
        FaultKind::FlipBit { at_byte: 10 },
        FaultKind::ShortConsistent { length: 5 },
        FaultKind::ExtraBytes { count: 3 },
        FaultKind::WrongContentRange(WrongRange::Shifted(1)),
        FaultKind::MissingContentRange,
        FaultKind::LostReply,
    ];
    let writes = || {
        vec![
            FaultKind::ResetInRequest { after_bytes: 0 },
            FaultKind::ResetInRequest { after_bytes: 1000 },
            FaultKind::status(503, "ServiceUnavailable"),
            FaultKind::status(400, "BadDigest"),
            FaultKind::set_header("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
            FaultKind::LostReply,
        ]
    };
    vec![
        (None, SHARE, any),
        (Some(Operation::GetObject), SHARE, reads),
        (Some(Operation::PutObject), SHARE, writes()),
        (Some(Operation::UploadPart), SHARE_OF_PARTS, writes()),
        (
            Some(Operation::CompleteMultipartUpload),
            SHARE_OF_COMPLETES,
            vec![FaultKind::error_in_ok("InternalError"), FaultKind::LostReply],
        ),
    ]
}
