//! The lines of s5cmd's README, as the table has them for here: each is run by a shell, and does what
//! it is said to do and nothing else.

use std::collections::BTreeMap;

use super::{rows, spans};
use crate::harness::Output;
use crate::stage::Stage;

const TEST: &str = "`parity::readme::each_line_does_what_it_says`";

/// What a line makes, here or in a bucket; what goes has a `-` before it.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "haul cp 's3://bucket/logs/2020/03/*' .",
        &["18/file1.gz", "19/file2.gz", "19/originals/file3.gz"],
    ),
    ("haul ls s3://your-bucket/", &[]),
    ("haul ls s3://bucket/", &[]),
    ("haul stat s3://bucket/object.gz", &[]),
    ("haul cp s3://bucket/object.gz .", &["object.gz"]),
    (
        "haul cp 's3://bucket/logs/2020/03/*' logs/",
        &["logs/18/file1.gz", "logs/19/file2.gz", "logs/19/originals/file3.gz"],
    ),
    (
        "haul cp --flatten 's3://bucket/logs/2020/03/*' logs/",
        &["logs/file1.gz", "logs/file2.gz", "logs/file3.gz"],
    ),
    ("haul cp object.gz s3://bucket/", &["s3://bucket/object.gz"]),
    (
        "haul cp --sse aws:kms --sse-kms-key-id KEY object.gz s3://bucket/",
        &["s3://bucket/object.gz"],
    ),
    ("haul cp --acl bucket-owner-full-control object.gz s3://bucket/", &["s3://bucket/object.gz"]),
    ("haul cp directory/ s3://bucket/", &["s3://bucket/a", "s3://bucket/b/c"]),
    ("haul upload - s3://bucket/s5cmd.html", &["s3://bucket/s5cmd.html"]),
    ("haul upload - s3://bucket/file.gz", &["s3://bucket/file.gz"]),
    ("haul rm s3://bucket/logs/2020/03/18/file1.gz", &["-s3://bucket/logs/2020/03/18/file1.gz"]),
    (
        "haul rm 's3://bucket/logs/2020/03/19/*'",
        &[
            "-s3://bucket/logs/2020/03/19/file2.gz",
            "-s3://bucket/logs/2020/03/19/originals/file3.gz",
        ],
    ),
    (
        "haul rm s3://bucket-foo/object s3://bucket-bar/object",
        &["-s3://bucket-bar/object", "-s3://bucket-foo/object"],
    ),
    (
        "haul cp 's3://bucket/logs/2020/*' s3://bucket/logs/backup/",
        &[
            "s3://bucket/logs/backup/03/18/file1.gz",
            "s3://bucket/logs/backup/03/19/file2.gz",
            "s3://bucket/logs/backup/03/19/originals/file3.gz",
            "s3://bucket/logs/backup/license.txt",
            "s3://bucket/logs/backup/request.log",
            "s3://bucket/logs/backup/request1",
        ],
    ),
    (
        "haul rm --include \"*.log\" 's3://bucket/logs/2020/*'",
        &["-s3://bucket/logs/2020/request.log"],
    ),
    (
        "haul rm --exclude \"*.log\" --exclude \"*.txt\" 's3://bucket/logs/2020/*'",
        &[
            "-s3://bucket/logs/2020/03/18/file1.gz",
            "-s3://bucket/logs/2020/03/19/file2.gz",
            "-s3://bucket/logs/2020/03/19/originals/file3.gz",
            "-s3://bucket/logs/2020/request1",
        ],
    ),
    (
        "haul cp --include \"*.log\" --include \"request*\" 's3://bucket/logs/2020/*' .",
        &["request.log", "request1"],
    ),
    (
        "haul sync --include \"*.log\" --include \"*.txt\" --exclude \"access_*\" 's3://bucket/logs/*' .",
        &["2020/license.txt", "2020/request.log"],
    ),
    ("haul du --humanize 's3://bucket/2020/*'", &[]),
    (
        "haul run commands.txt",
        &[
            "-s3://bucket/2020/03/18/file1.gz",
            "-s3://bucket/2020/03/19/file2.gz",
            "s3://bucket/2020/03/18/original/file.gz",
        ],
    ),
    (
        "haul run -",
        &[
            "-s3://bucket/2020/03/18/file1.gz",
            "-s3://bucket/2020/03/19/file2.gz",
            "s3://bucket/2020/03/18/original/file.gz",
        ],
    ),
    ("haul ls s3://bucket/static/", &[]),
    ("haul sync . s3://bucket/static/", &STATIC),
    ("haul sync --delete . s3://bucket/static/", &CLEANED),
    ("haul sync 's3://bucket/static/*.html' .", &["index.html", "test.html"]),
    (
        "haul sync 's3://s3-bucket/path/*' download_folder/",
        &["download_folder/x", "download_folder/y/z"],
    ),
    ("haul sync download_folder/ s3://gcs-bucket/path/", &["s3://gcs-bucket/path/here"]),
    ("haul --dry-run cp s3://bucket/pre/* s3://another-bucket/", &[]),
    ("haul ls", &[]),
    ("haul cp *.gz s3://bucket/", &["s3://bucket/object.gz"]),
    ("haul cp s3://bucket/testfile .", &["testfile"]),
    (
        "haul cp --concurrency 10 Users/foo/bar/ s3://mybucket/foo/bar/",
        &["s3://mybucket/foo/bar/x"],
    ),
    (
        "haul cp --concurrency 100 Users/foo/bar/ s3://mybucket/foo/bar/",
        &["s3://mybucket/foo/bar/x"],
    ),
    ("haul cat s3://bucket/avocado.csv.gz", &[]),
    ("haul cp --no-clobber s3://somebucket/file.txt file.txt", &[]),
    ("haul ls s3://bucket/reports/", &[]),
];

const STATIC: [&str; 8] = [
    "s3://bucket/static/Users/foo/bar/x",
    "s3://bucket/static/commands.txt",
    "s3://bucket/static/directory/a",
    "s3://bucket/static/directory/b/c",
    "s3://bucket/static/download_folder/here",
    "s3://bucket/static/file.txt",
    "s3://bucket/static/index.html",
    "s3://bucket/static/object.gz",
];
const CLEANED: [&str; 9] = [
    "-s3://bucket/static/test.html",
    STATIC[0],
    STATIC[1],
    STATIC[2],
    STATIC[3],
    STATIC[4],
    STATIC[5],
    STATIC[6],
    STATIC[7],
];

const OBJECTS: [&str; 25] = [
    "another-bucket/x",
    "bucket-bar/object",
    "bucket-foo/object",
    "bucket/2020/03/18/file1.gz",
    "bucket/2020/03/19/file2.gz",
    "bucket/avocado.csv.gz",
    "bucket/logs/2020/03/18/file1.gz",
    "bucket/logs/2020/03/19/file2.gz",
    "bucket/logs/2020/03/19/originals/file3.gz",
    "bucket/logs/2020/license.txt",
    "bucket/logs/2020/request.log",
    "bucket/logs/2020/request1",
    "bucket/logs/access_log.txt",
    "bucket/object.gz",
    "bucket/pre/file1.gz",
    "bucket/pre/last.txt",
    "bucket/reports/van.csv",
    "bucket/static/index.html",
    "bucket/static/test.html",
    "bucket/testfile",
    "mybucket/y",
    "s3-bucket/path/x",
    "s3-bucket/path/y/z",
    "somebucket/file.txt",
    "your-bucket/k",
];
const FILES: [&str; 7] = [
    "Users/foo/bar/x",
    "directory/a",
    "directory/b/c",
    "download_folder/here",
    "file.txt",
    "index.html",
    "object.gz",
];
const COMMANDS: &str = "\
# line comments are supported
rm s3://bucket/2020/03/19/file2.gz

# rename an S3 object
mv s3://bucket/2020/03/18/file1.gz s3://bucket/2020/03/18/original/file.gz
";

fn scene() -> Stage {
    let stage = Stage::new();
    stage.testbed.create_bucket("gcs-bucket");
    for name in OBJECTS {
        let (bucket, key) = name.split_once('/').expect("a key");
        stage.testbed.create_bucket(bucket);
        stage.testbed.put_object(bucket, key, format!("the object {name}"));
    }
    for name in FILES {
        stage.sandbox.write(name, name);
    }
    stage.sandbox.write("commands.txt", COMMANDS);
    stage
}

/// All there is, and of what it is made.
fn everything(stage: &Stage) -> BTreeMap<String, String> {
    let files = stage.sandbox.tree("").into_iter();
    let mut all: BTreeMap<_, _> = files.map(|(name, print)| (name, format!("{print:?}"))).collect();
    let buckets = OBJECTS.iter().filter_map(|name| name.split('/').next()).chain(["gcs-bucket"]);
    for bucket in buckets {
        for key in stage.testbed.keys(bucket) {
            let object = stage.testbed.object(bucket, &key).expect("it is listed");
            all.insert(format!("s3://{bucket}/{key}"), format!("{:?}", object.bytes()));
        }
    }
    all
}

fn run(stage: &Stage, line: &str) -> Output {
    let script = format!("haul=$0; haul() {{ \"$haul\" \"$@\"; }}; {line}");
    stage.haul().under(["sh", "-c", &script]).stdin(COMMANDS).run()
}

#[test]
fn each_line_does_what_it_says() {
    let rows = rows().into_iter().filter(|row| row.tests.starts_with(TEST));
    let mut lines: Vec<_> =
        rows.filter_map(|row| spans(&row.ours).next().map(str::to_owned)).collect();
    lines.sort();
    lines.dedup();
    let mut tried: Vec<_> = EXAMPLES.iter().map(|(line, _)| (*line).to_owned()).collect();
    tried.sort();
    assert_eq!(tried, lines, "the table has what is tried here");
    for (line, wanted) in EXAMPLES {
        let stage = scene();
        let before = everything(&stage);
        run(&stage, line).code(0);
        let after = everything(&stage);
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        let made = after.iter().filter(|(name, content)| before.get(*name) != Some(content));
        let mut changes: Vec<_> = gone.map(|name| format!("-{name}")).collect();
        changes.extend(made.map(|(name, _)| name.clone()));
        assert_eq!(changes, *wanted, "{line}");
    }
}

/// Whatever is not typed as it stands there is said to differ.
#[test]
fn what_differs_is_said() {
    let table = rows().into_iter().skip_while(|row| !row.theirs.contains("2020/03/*' .`"));
    let rows: Vec<_> = table.filter(|row| row.ours != "\u{2014}").collect();
    assert!(rows.len() >= EXAMPLES.len(), "{}", rows.len());
    for row in rows {
        let is_same = row.theirs.replacen("s5cmd ", "haul ", 1) == row.ours;
        assert_eq!(is_same, !row.tests.contains("differs: "), "{}", row.theirs);
    }
}

#[test]
fn what_lines_print_is_what_is_there() {
    let stage = scene();
    run(&stage, "haul cat s3://bucket/avocado.csv.gz")
        .stdout_is("the object bucket/avocado.csv.gz");
    let sum = run(&stage, "haul du --humanize 's3://bucket/2020/*'");
    sum.stdout_has(" B ").stdout_has("  s3://bucket/2020/*");
    run(&stage, "haul ls s3://bucket/reports/ | sort -k 3").stdout_has("reports/van.csv");
    run(&stage, "haul ls").stdout_has("your-bucket").stdout_has("another-bucket");
    run(&stage, "haul ls s3://no-such-bucket/").code(1);
    let plan = run(&stage, "haul --dry-run cp s3://bucket/pre/* s3://another-bucket/");
    plan.stdout_has("s3://another-bucket/file1.gz").stdout_has("s3://another-bucket/last.txt");
}
