//! A program that gives credentials, as `credential_process` runs it, and counts how often it was
//! asked. It must never give the same answer by accident: each answer is numbered.

use std::fmt::Write as _;

use testbed::Testbed;

use crate::harness::{Haul, Sandbox, haul};

/// What the program does, from the first time it is asked to the last.
pub(super) struct Vault<'a> {
    sandbox: &'a Sandbox,
}

impl<'a> Vault<'a> {
    /// `script` runs with `$n`, how often it was asked, this time included.
    pub(super) fn new(sandbox: &'a Sandbox, script: &str) -> Self {
        let calls = sandbox.path("vault/calls");
        let program = sandbox.write(
            "vault/program",
            format!("echo x >> {0}\nn=$(grep -c x {0})\n{script}\n", calls.display()),
        );
        let config = format!("[default]\ncredential_process = sh {}\n", program.display());
        sandbox.write("vault/config", config);
        Self { sandbox }
    }

    /// Gives `KEY1`, then `KEY2`, and so on; never twice the same.
    pub(super) fn of_fresh_keys(sandbox: &'a Sandbox) -> Self {
        Self::new(sandbox, &answer("KEY$n", ""))
    }

    /// A command that has its credentials from here alone.
    pub(super) fn haul(&self, testbed: &Testbed) -> Haul {
        haul()
            .env("AWS_ENDPOINT_URL", testbed.endpoint())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_CONFIG_FILE", self.sandbox.path("vault/config"))
            .current_dir(self.sandbox.path(""))
    }

    /// How often the program ran.
    pub(super) fn calls(&self) -> usize {
        let calls = self.sandbox.path("vault/calls");
        std::fs::read_to_string(calls).map_or(0, |calls| calls.lines().count())
    }
}

/// A line of shell that gives this key, the secret that goes with it, and more fields.
pub(super) fn answer(key: &str, more: &str) -> String {
    let mut json = String::from("echo '{\"Version\":1,\"AccessKeyId\":\"'");
    write!(json, "{key}").expect("a string takes all");
    json.push_str("'\",\"SecretAccessKey\":\"SECRET\",\"SessionToken\":\"TOKEN\"");
    json.push_str(more);
    json.push_str("}'");
    json
}
