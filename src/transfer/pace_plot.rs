//! The pace on simulated networks as a picture, for people: `benches/pace.svg`.

use std::fmt::Write as _;

use super::brake_tests::course;
use super::pace::Pace;
use super::pace_tests::{MB, Network, PART, REGION, SMALL, Simulation, objects, parts, seconds};

/// Set to draw the picture anew.
const DRAW: &str = "HAUL_TEST_DRAW_PACE";
const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pace.svg");

/// Of one network's part of the picture, in units of it.
const COLUMN: f64 = 440.0;
const ROW: f64 = 180.0;
const WIDE: f64 = 370.0;
const HIGH: f64 = 100.0;
/// Where the axes meet.
const LEFT: f64 = 40.0;
const BOTTOM: f64 = 140.0;

const LEVEL: &str = "#475569";
const RATE: &str = "#c2410c";

/// What became of a run on one network.
struct Course {
    title: &'static str,
    /// What can be had, in bytes or requests a second, as a person would say it.
    limit: &'static str,
    seconds: f64,
    /// A moment, the requests in flight, and of what can be had, the part that was used.
    points: Vec<(f64, f64, f64)>,
}

fn paced(
    title: &'static str,
    (limit, most): (&'static str, f64),
    (network, size, pace): (Network, f64, Pace),
    until: f64,
) -> Course {
    let run = Simulation::new(network, size, pace).run(seconds(until));
    Course { title, limit, seconds: until, points: points(&run, most, until) }
}

/// Half a per cent of the time apart; the rate is that of four per cent of it.
fn points(run: &Simulation, most: f64, until: f64) -> Vec<(f64, f64, f64)> {
    let at = |step: u32| f64::from(step) * until / 200.0;
    let point = |step| {
        let rate = run.rate(seconds((at(step) - until / 25.0).max(0.0)), seconds(at(step)));
        (at(step), run.level(seconds(at(step))), rate / most)
    };
    (1..200).map(point).collect()
}

fn courses() -> Vec<Course> {
    let lan = Network {
        first_byte: std::time::Duration::from_micros(300),
        stream: 1500.0 * MB,
        total: 2000.0 * MB,
        ..REGION
    };
    let far = Network { first_byte: std::time::Duration::from_millis(150), ..REGION };
    let thin = Network { stream: 1.25 * MB, total: 1.25 * MB, ..REGION };
    let slow = Network { slow: Some(8), ..REGION };
    let sent = Network { buffer: Some(3.0 * MB), noise: 0.3, total: 1000.0 * MB, ..lan };
    let noisy = Network { noise: 0.6, ..REGION };
    let wire = ("10 Gbit/s", REGION.total);
    let small = ("8,000 objects/s", REGION.requests * SMALL);
    let reach = ("1,024 in flight", 1024.0 / 0.151 * SMALL);
    let mut changing = Simulation::new(REGION, PART / 4.0, parts()).run(seconds(5.0));
    changing.network.total = 125.0 * MB;
    changing = changing.run(seconds(10.0));
    changing.network.total = REGION.total;
    changing = changing.run(seconds(15.0));
    let changing = points(&changing, REGION.total, 30.0);
    let title = "1 Gbit/s from 5 s to 15 s, 8 MiB parts";
    vec![
        paced("a fast LAN, 32 MiB parts", ("2 GB/s", 2000.0 * MB), (lan, PART, parts()), 2.0),
        paced("S3 in the region, 8 MiB parts", wire, (REGION, PART / 4.0, parts()), 2.0),
        paced("S3 in the region, 16 KiB objects", small, (REGION, SMALL, objects()), 2.0),
        paced("150 ms away, 16 KiB objects", reach, (far, SMALL, objects()), 5.0),
        paced(
            "a link of 10 Mbit/s, 16 KiB objects",
            ("10 Mbit/s", 1.25 * MB),
            (thin, SMALL, objects()),
            30.0,
        ),
        paced(
            "a fast LAN, 5 MiB parts that are sent",
            ("1 GB/s", 1000.0 * MB),
            (sent, PART / 6.0, parts()),
            2.0,
        ),
        paced("one address in eight is slow, 8 MiB parts", wire, (slow, PART / 4.0, parts()), 10.0),
        paced("a disturbed wire, 8 MiB parts", wire, (noisy, PART / 4.0, parts()), 10.0),
        Course { title, limit: "10 Gbit/s", seconds: 30.0, points: changing },
        Course {
            title: "a prefix that bears 1,000 requests a second",
            limit: "1,000 requests/s",
            seconds: 30.0,
            points: course(1000.0, 256, 30),
        },
    ]
}

fn picture(courses: &[Course]) -> String {
    let rows = courses.len().div_ceil(2);
    let (width, height) = (COLUMN * 2.0, ROW * f64::from(u32::try_from(rows).unwrap_or(0)) + 40.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"13\">The pace finds how many requests are worth \
         having in flight: <tspan fill=\"{LEVEL}\">requests in flight</tspan>, <tspan \
         fill=\"{RATE}\">what is moved</tspan>; simulated</text>\n"
    );
    for (place, course) in courses.iter().enumerate() {
        let column = if place % 2 == 0 { 0.0 } else { COLUMN };
        let row = ROW * f64::from(u32::try_from(place / 2).unwrap_or(0)) + 30.0;
        let _ = write!(svg, "<g transform=\"translate({column} {row})\">");
        panel(&mut svg, course);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, course: &Course) {
    let most = course.points.iter().map(|point| point.1).fold(1.0, f64::max);
    let (right, top) = (LEFT + WIDE, BOTTOM - HIGH);
    let (title, limit, seconds) = (course.title, course.limit, course.seconds);
    let _ = write!(
        svg,
        "<text x=\"{LEFT}\" y=\"{y}\" font-weight=\"bold\">{title}</text>\
         <path d=\"M{LEFT} {top}H{right}\" stroke=\"{RATE}\" stroke-dasharray=\"3 3\"/>\
         <text x=\"{right}\" y=\"{over}\" text-anchor=\"end\" fill=\"{RATE}\">{limit}</text>\
         <text x=\"{before}\" y=\"{under}\" text-anchor=\"end\" fill=\"{LEVEL}\">{most}</text>\
         <path d=\"M{LEFT} {top}V{BOTTOM}H{right}\" fill=\"none\" stroke=\"#94a3b8\"/>\
         <text x=\"{right}\" y=\"{below}\" text-anchor=\"end\" fill=\"#94a3b8\">{seconds} s</text>",
        y = top - 18.0,
        over = top - 18.0,
        before = LEFT - 4.0,
        under = top + 8.0,
        below = BOTTOM + 13.0,
    );
    line(svg, LEVEL, course, |point| point.1 / most);
    line(svg, RATE, course, |point| point.2.min(1.05));
}

fn line(svg: &mut String, colour: &str, course: &Course, height: impl Fn(&(f64, f64, f64)) -> f64) {
    svg.push_str("<polyline fill=\"none\" stroke-width=\"1.3\" points=\"");
    for point in &course.points {
        let (x, y) = (LEFT + WIDE * point.0 / course.seconds, BOTTOM - HIGH * height(point));
        let _ = write!(svg, "{x:.1},{y:.1} ");
    }
    let _ = write!(svg, "\" stroke=\"{colour}\"/>");
}

#[test]
fn every_network_is_in_the_picture() {
    let courses = courses();
    if std::env::var_os(DRAW).is_some() {
        std::fs::write(PICTURE, picture(&courses)).expect("the folder is there");
    }
    let drawn = std::fs::read_to_string(PICTURE).expect("the picture is there");
    for course in courses {
        assert!(drawn.contains(course.title), "{}: set {DRAW} and run this test", course.title);
        let late = course.points.iter().filter(|point| point.0 > course.seconds * 0.8);
        let (all, used) = late.fold((0.0, 0.0), |(all, used), point| (all + 1.0, used + point.2));
        assert!(used / all > 0.4, "{}: {}", course.title, used / all);
    }
}
