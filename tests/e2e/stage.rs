//! What most tests on the testbed start from: a server with one bucket, and a sandbox. It must
//! never know what a command means, only how to run it there.

use std::ffi::OsStr;

use testbed::{StoredObject, Testbed};

use crate::harness::{Haul, Output, Sandbox, haul};

pub(crate) const BUCKET: &str = "bucket";

pub(crate) struct Stage {
    pub(crate) testbed: Testbed,
    pub(crate) sandbox: Sandbox,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::on(Testbed::spawn())
    }

    pub(crate) fn on(testbed: Testbed) -> Self {
        testbed.create_bucket(BUCKET);
        Self { testbed, sandbox: Sandbox::new() }
    }

    /// With an object for each of the keys, whose bytes are the key.
    pub(crate) fn with_keys(keys: &[&str]) -> Self {
        let stage = Self::new();
        for key in keys {
            stage.testbed.put_object(BUCKET, key, (*key).to_owned());
        }
        stage
    }

    /// A command on this server, in the sandbox: relative paths are the sandbox's.
    pub(crate) fn haul(&self) -> Haul {
        haul().on(&self.testbed).current_dir(self.sandbox.path(""))
    }

    pub(crate) fn run<I>(&self, args: I) -> Output
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        self.haul().args(args).run()
    }

    /// As `run`, with this on stdin.
    pub(crate) fn feed<I>(&self, input: impl Into<Vec<u8>>, args: I) -> Output
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        self.haul().stdin(input).args(args).run()
    }

    /// Names of the files below a folder of the sandbox.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        self.sandbox.tree(folder).into_keys().collect()
    }

    pub(crate) fn text(&self, file: &str) -> String {
        String::from_utf8(self.sandbox.read(file)).expect("the file is text")
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.testbed.keys(BUCKET)
    }

    #[track_caller]
    pub(crate) fn object(&self, key: &str) -> StoredObject {
        let object = self.testbed.object(BUCKET, key);
        object.unwrap_or_else(|| panic!("there is no object {key:?}")).as_ref().clone()
    }

    #[track_caller]
    pub(crate) fn object_text(&self, key: &str) -> String {
        String::from_utf8(self.object(key).bytes().to_vec()).expect("the object is text")
    }
}
