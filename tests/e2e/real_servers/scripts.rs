//! Files of commands on real servers: lines of every direction, side by side.

use crate::harness::{Bucket, Moto, Sandbox, Server, Weed, haul};

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn lines_of_every_direction_do_what_they_say() {
    let weed = Bucket::make(Weed::shared(), super::BUCKET);
    let moto = Bucket::make(Moto::shared(), "scripts");
    let both: [(&dyn Server, &Bucket); 2] = [(Weed::shared(), &weed), (Moto::shared(), &moto)];
    for (server, bucket) in both {
        bucket.remove("run/");
        let sandbox = Sandbox::new();
        let run = |lines: String| {
            sandbox.write("commands", lines);
            haul().on(server).current_dir(sandbox.path("")).args(["run", "commands"]).run()
        };
        let ups = (0..100).map(|number| {
            sandbox.write(format!("up/{number}"), format!("bytes {number}"));
            format!("upload up/{number} {}\n", bucket.uri("run/up/"))
        });
        run(ups.collect()).code(0);
        let (up, copied, gone) =
            (bucket.uri("run/up/"), bucket.uri("run/copied/"), bucket.uri("run/gone"));
        let lines = format!(
            "cp {up}1* down/\ncp {up}4* {copied}\nmv {up}99 {gone}\nrm {up}98\ncp {up}none here\n"
        );
        run(lines).code(1).stderr_has("(line 5)").stderr_has("1 failed");
        assert_eq!(sandbox.tree("down").len(), 11);
        assert_eq!(bucket.get("run/gone"), b"bytes 99");
        assert_eq!(bucket.get("run/copied/42"), b"bytes 42");
        bucket.remove("run/");
    }
}
