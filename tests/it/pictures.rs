//! The pictures of docs/models.md are those that the program and this file draw; `MESH_UPDATE=1` writes them.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;
use tests::Shell;

/// Size of a box.
const BOX: (i32, i32) = (150, 44);

/// Boxes with their places, and arrows between them.
struct Picture {
    title: &'static str,
    boxes: Vec<(&'static str, i32, i32)>,
    /// From, to, and what is written on it.
    arrows: Vec<(&'static str, &'static str, &'static str)>,
}

/// Roots above the CAs of two clusters.
const EAST: (&str, i32, i32) = ("CA of east", 20, 150);
const WEST: (&str, i32, i32) = ("CA of west", 360, 150);
const EAST_ROOT: (&str, i32, i32) = ("root of east", 20, 20);
const WEST_ROOT: (&str, i32, i32) = ("root of west", 360, 20);
const BELOW: [(&str, &str, &str); 2] =
    [("root of east", "CA of east", ""), ("root of west", "CA of west", "")];

/// The picture of a trust model.
fn model(name: &str) -> Picture {
    let two = |title, arrows: &[(&'static str, &'static str, &'static str)]| Picture {
        title,
        boxes: vec![EAST_ROOT, WEST_ROOT, EAST, WEST],
        arrows: BELOW.iter().chain(arrows).copied().collect(),
    };
    match name {
        "shared-root" => Picture {
            title: "one root above the CAs of all clusters",
            boxes: vec![
                ("root", 190, 20),
                EAST,
                WEST,
                ("workloads in east", 20, 280),
                ("workloads in west", 360, 280),
            ],
            arrows: vec![
                ("root", "CA of east", ""),
                ("root", "CA of west", ""),
                ("CA of east", "workloads in east", ""),
                ("CA of west", "workloads in west", ""),
            ],
        },
        "merged-roots" => two(
            "both roots in the bundle of every cluster",
            &[
                ("root of west", "CA of east", "in its bundle"),
                ("root of east", "CA of west", "in its bundle"),
            ],
        ),
        "bridge" => two(
            "each root certifies the other",
            &[
                ("root of east", "root of west", "certifies"),
                ("root of west", "root of east", "certifies"),
            ],
        ),
        "scoped-bridge" => two(
            "each root certifies the other for one trust domain",
            &[
                ("root of east", "root of west", "west.example only"),
                ("root of west", "root of east", "east.example only"),
            ],
        ),
        other => panic!("draw the trust model {other}, and show it in docs/models.md"),
    }
}

impl Picture {
    fn svg(&self) -> String {
        let height = self.boxes.iter().map(|(_, _, y)| y + BOX.1 + 20).max().unwrap_or_default();
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 530 {height}\" width=\"530\" \
             height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n<title>{}</title>\n\
             <defs><marker id=\"to\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"9\" \
             markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0 8 4 0 8z\" \
             fill=\"#334\"/></marker></defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
            self.title
        );
        let places = self.arrows.iter().map(|(from, to, text)| {
            let line = line(self.place(from), self.place(to));
            (line, words(line, text))
        });
        // No arrow crosses a text.
        let (lines, words): (Vec<_>, Vec<_>) = places.unzip();
        for ((x, y), (to_x, to_y)) in lines {
            let _ = writeln!(
                svg,
                "<path d=\"M{x} {y} {to_x} {to_y}\" fill=\"none\" stroke=\"#667\" marker-end=\"url(#to)\"/>"
            );
        }
        svg += &words.concat();
        for (name, x, y) in &self.boxes {
            let (middle, line) = (x + BOX.0 / 2, y + BOX.1 / 2 + 5);
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"4\" fill=\"#eef3fa\" stroke=\"#334\"/>\n\
                 <text x=\"{middle}\" y=\"{line}\" text-anchor=\"middle\" fill=\"#123\">{name}</text>",
                BOX.0, BOX.1
            );
        }
        svg + "</svg>\n"
    }

    fn place(&self, name: &str) -> (i32, i32) {
        let found = self.boxes.iter().find(|(other, _, _)| *other == name);
        found.map(|(_, x, y)| (*x, *y)).expect("a box of that name")
    }
}

/// A point.
type Point = (i32, i32);

/// An arrow from below a box to above another, or between two next to each other: the way back is lower.
fn line(from: Point, to: Point) -> (Point, Point) {
    match (from.1 == to.1, from.0 < to.0) {
        (false, _) => ((from.0 + BOX.0 / 2, from.1 + BOX.1), (to.0 + BOX.0 / 2, to.1)),
        (true, true) => ((from.0 + BOX.0, from.1 + 12), (to.0, to.1 + 12)),
        (true, false) => ((from.0, from.1 + 36), (to.0 + BOX.0, to.1 + 36)),
    }
}

/// What is written on an arrow: above it, or, if it is not level, a third of the way, so that the texts of two arrows
/// that cross are apart.
fn words(((x, y), (to_x, to_y)): (Point, Point), text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let (at_x, at_y) = if y == to_y {
        ((x + to_x) / 2, y - 5)
    } else {
        (x + (to_x - x) / 3, y + (to_y - y) / 3 + 4)
    };
    format!(
        "<text x=\"{at_x}\" y=\"{at_y}\" text-anchor=\"middle\" fill=\"#123\" stroke=\"#fff\" stroke-width=\"4\" \
         paint-order=\"stroke\" font-size=\"12\">{text}</text>\n"
    )
}

/// Compares a picture with the file.
fn check(name: &str, svg: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures").join(name);
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    if std::env::var_os("MESH_UPDATE").is_some() && found != svg {
        return std::fs::write(&path, svg).expect("a picture");
    }
    assert!(found == svg, "docs/pictures/{name} is stale (MESH_UPDATE=1 draws it again)");
}

#[test]
fn every_trust_model_has_its_picture() {
    let schema: Value =
        serde_json::from_str(include_str!("../../docs/schemas/mesh.json")).expect("JSON");
    let models = schema["$defs"]["TrustModel"]["oneOf"].as_array().expect("models");
    let page = include_str!("../../docs/models.md");
    for name in models.iter().filter_map(|model| model["const"].as_str()) {
        let file = format!("{name}.svg");
        check(&file, &model(name).svg());
        assert!(
            page.contains(&format!("(pictures/{file})")),
            "docs/models.md does not show {file}"
        );
    }
    assert!(models.len() >= 4, "{models:?}");
}

/// The picture of calls is what `mesh graph` draws.
#[test]
fn the_picture_of_calls_is_what_is_drawn() {
    let shell = Shell::new();
    let spec = include_str!("../../fixtures/mesh/bookinfo-current/mesh.yaml");
    shell.scratch.write("mesh.yaml", spec);
    check("calls.svg", &shell.good("mesh graph -f @/mesh.yaml -o svg"));
}
