//! Lines that s5cmd's README shows for its `run`, as they stand there.

use super::script;
use crate::stage::Stage;

#[test]
fn the_readme_of_s5cmd_runs_as_it_is() {
    let keys = ["2020/03/18/file1.gz", "2020/03/19/file1.gz", "2020/03/19/file2.gz"];
    let stage = Stage::with_keys(&keys);
    let lines = "\
cp s3://bucket/2020/03/19/* logs/2020/03/19/
# line comments are supported
cp s3://bucket/2020/03/18/* logs/2020/03/18/

# empty lines are OK too like above
";
    script(&stage, lines, &[]).code(0);
    assert_eq!(stage.files("logs/2020/03"), ["18/file1.gz", "19/file1.gz", "19/file2.gz"]);
    let lines = "\
rm s3://bucket/2020/03/19/file2.gz

# rename an S3 object
mv s3://bucket/2020/03/18/file1.gz s3://bucket/2020/03/18/original/file.gz
";
    stage.feed(lines, ["run", "-"]).code(0);
    assert_eq!(stage.keys(), ["2020/03/18/original/file.gz", "2020/03/19/file1.gz"]);
}
