//! The picture as SVG: callers on the left, what they call on the right, the services between them on their arrows.
//! layout-rs decides what is next to what; decision 13 says why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use layout::adt::dag::NodeHandle;
use layout::core::base::Orientation;
use layout::core::format::{ClipHandle, RenderBackend};
use layout::core::geometry::Point;
use layout::core::style::StyleAttr;
use layout::std_shapes::shapes::{Arrow, Element, ShapeKind};
use layout::topo::layout::VisualGraph;
use meshconfig::graph::{BoxKind, Graph, GraphArrow, Way};

use crate::text::escaped;

/// Pixels.
const FONT: usize = 13;
const LINE: f64 = 17.0;
const MARGIN: f64 = 20.0;
/// layout-rs keeps 60 pixels between two boxes, so it gets them lower than they are.
const CLOSER: f64 = 44.0;
const LEFT_TO_RIGHT: Orientation = Orientation::LeftToRight;

/// The picture as one SVG document without scripts, fonts or links.
pub(crate) fn svg(graph: &Graph) -> String {
    let placed = VisualGraph::new(LEFT_TO_RIGHT);
    let mut columns = Columns { graph, placed, boxes: BTreeMap::new(), labels: Vec::new() };
    for arrow in &graph.arrows {
        columns.arrow(arrow);
    }
    columns.others();
    columns.placed.do_it(false, false, false, &mut Nowhere);
    let mut canvas = Canvas::default();
    for ((_, text), node) in &columns.boxes {
        canvas.rect(&columns.area(*node, text), text);
    }
    for (arrow, [from, label, to]) in &columns.labels {
        canvas.arrow(arrow, &[columns.shown(*from), columns.shown(*label), columns.shown(*to)]);
    }
    canvas.legend(&graph.legend);
    canvas.document(&graph.name)
}

/// What is placed: the boxes of both columns, and the text of each arrow between them.
struct Columns<'g> {
    graph: &'g Graph,
    placed: VisualGraph,
    /// By whether it is called, and its text: a cluster that calls and is called is there twice.
    boxes: BTreeMap<(bool, String), NodeHandle>,
    /// Each arrow with its start, its text and its end.
    labels: Vec<(&'g GraphArrow, [NodeHandle; 3])>,
}

impl<'g> Columns<'g> {
    fn arrow(&mut self, arrow: &'g GraphArrow) {
        let (from, to) = (self.a_box(false, arrow.from), self.a_box(true, arrow.to));
        let label = self.node(&arrow.lines.join("\n"));
        self.placed.add_edge(Arrow::simple(""), from, label);
        self.placed.add_edge(Arrow::simple(""), label, to);
        self.labels.push((arrow, [from, label, to]));
    }

    /// Clusters that neither call nor are called.
    fn others(&mut self) {
        for (index, one) in self.graph.boxes.iter().enumerate() {
            let is_part = |arrow: &GraphArrow| {
                [arrow.from, arrow.to].iter().any(|i| self.graph.boxes[*i].cluster == one.cluster)
            };
            if one.kind == BoxKind::Cluster && !self.graph.arrows.iter().any(is_part) {
                self.a_box(false, index);
            }
        }
    }

    fn a_box(&mut self, is_called: bool, index: usize) -> NodeHandle {
        let text = self.text(index);
        if let Some(known) = self.boxes.get(&(is_called, text.clone())) {
            return *known;
        }
        let node = self.node(&text);
        self.boxes.insert((is_called, text), node);
        node
    }

    fn node(&mut self, text: &str) -> NodeHandle {
        let (width, height) = size(text);
        let told = Point::new(width, (height - CLOSER).max(1.0));
        let shape = ShapeKind::new_box(text);
        self.placed.add_node(Element::create(shape, StyleAttr::simple(), LEFT_TO_RIGHT, told))
    }

    /// The lines of a box; those of a gateway with its cluster's, and the trust domain if there are several.
    fn text(&self, index: usize) -> String {
        let one = &self.graph.boxes[index];
        let mut lines = Vec::new();
        if one.kind == BoxKind::Gateway
            && let Some(behind) = self.graph.behind(index)
        {
            lines.extend(self.graph.boxes[behind].lines.iter().cloned());
        }
        lines.extend(one.lines.iter().cloned());
        let mut domains = self.graph.boxes.iter().filter_map(|one| Some(&one.cluster.as_ref()?.1));
        let first = domains.next();
        if let Some((_, domain)) = &one.cluster
            && domains.any(|other| Some(other) != first)
        {
            lines.push(format!("trust domain {domain}"));
        }
        lines.join("\n")
    }

    fn area(&self, node: NodeHandle, text: &str) -> Area {
        let middle = self.placed.pos(node).center();
        let (width, height) = size(text);
        Area { x: middle.x, y: middle.y, width, height }
    }

    /// The area of a box or a label.
    fn shown(&self, node: NodeHandle) -> Area {
        match &self.placed.element(node).shape {
            ShapeKind::Box(text) => self.area(node, text),
            _ => self.area(node, ""),
        }
    }
}

/// Width and height of a text and the space around it.
fn size(text: &str) -> (f64, f64) {
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    (widest as f64 * 7.5 + 16.0, text.lines().count() as f64 * LINE + 12.0)
}

/// A box or a text by its middle.
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// What is drawn, from the back to the front.
#[derive(Default)]
struct Canvas {
    boxes: String,
    arrows: String,
    texts: String,
    /// The lower right corner.
    end: (f64, f64),
}

impl Canvas {
    fn reach(&mut self, x: f64, y: f64) {
        self.end = (self.end.0.max(x), self.end.1.max(y));
    }

    fn rect(&mut self, area: &Area, text: &str) {
        let (x, y) = (area.x - area.width / 2.0, area.y - area.height / 2.0);
        let _ = writeln!(
            self.boxes,
            "<rect x=\"{x:.0}\" y=\"{y:.0}\" width=\"{:.0}\" height=\"{:.0}\" rx=\"4\"/>",
            area.width, area.height
        );
        self.reach(x + area.width, y + area.height);
        self.centered(area, text.lines());
    }

    /// A line from the start to the text, and an arrow from there to the end.
    fn arrow(&mut self, arrow: &GraphArrow, [from, label, to]: &[Area; 3]) {
        let style = match arrow.way {
            Way::Registry => " stroke-dasharray=\"6 4\"",
            Way::Direct => " stroke-width=\"3\"",
            Way::Own | Way::Sni | Way::Rewrite => "",
        };
        for (start, end, marker) in [(from, label, ""), (label, to, " marker-end=\"url(#to)\"")] {
            let (x, end_x) = (start.x + start.width / 2.0, end.x - end.width / 2.0);
            let (y, end_y, bend) = (start.y, end.y, f64::midpoint(x, end_x));
            let _ = writeln!(
                self.arrows,
                "<path d=\"M{x:.0} {y:.0}C{bend:.0} {y:.0} {bend:.0} {end_y:.0} {end_x:.0} {end_y:.0}\"{style}{marker}/>"
            );
        }
        self.reach(label.x + label.width / 2.0, label.y + label.height / 2.0);
        self.centered(label, arrow.lines.iter().map(String::as_str));
    }

    fn centered<'t>(&mut self, area: &Area, lines: impl Iterator<Item = &'t str>) {
        let lines: Vec<&str> = lines.collect();
        let top = area.y - LINE * (lines.len() as f64 - 1.0) / 2.0 + FONT as f64 / 3.0;
        self.text((area.x, top), "middle", &lines);
    }

    fn text(&mut self, (x, top): (f64, f64), anchor: &str, lines: &[&str]) {
        for (n, line) in lines.iter().enumerate() {
            let y = top + LINE * n as f64;
            let _ = writeln!(
                self.texts,
                "<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{}</text>",
                escaped(line)
            );
        }
    }

    fn legend(&mut self, lines: &[String]) {
        let top = self.end.1 + 2.0 * LINE;
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.text((MARGIN, top), "start", &lines);
        let widest = lines.iter().map(|line| line.len()).max().unwrap_or(0);
        self.reach(MARGIN + widest as f64 * 7.0, top + LINE * lines.len() as f64);
    }

    fn document(&self, name: &str) -> String {
        let (width, height) = (self.end.0 + MARGIN, self.end.1 + MARGIN);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"{FONT}\">\n\
             <title>{} mesh: calls between clusters</title>\n\
             <defs><marker id=\"to\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"9\" markerHeight=\"9\" \
             markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0 8 4 0 8z\" fill=\"#334\"/></marker></defs>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <g fill=\"none\" stroke=\"#667\">\n{}</g>\n<g fill=\"#eef3fa\" stroke=\"#334\">\n{}</g>\n\
             <g fill=\"#123\">\n{}</g>\n</svg>\n",
            escaped(name),
            self.arrows,
            self.boxes,
            self.texts
        )
    }
}

/// layout-rs draws as soon as it has placed. What it draws is not used: its lines do not meet their labels.
struct Nowhere;

impl RenderBackend for Nowhere {
    fn draw_rect(
        &mut self,
        _: Point,
        _: Point,
        _: &StyleAttr,
        _: Option<String>,
        _: Option<ClipHandle>,
    ) {
    }

    fn draw_line(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}

    fn draw_circle(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}

    fn draw_text(&mut self, _: Point, _: &str, _: &StyleAttr) {}

    fn draw_arrow(
        &mut self,
        _: &[(Point, Point)],
        _: bool,
        _: (bool, bool),
        _: &StyleAttr,
        _: Option<String>,
        _: &str,
    ) {
    }

    fn create_clip(&mut self, _: Point, _: Point, _: usize) -> ClipHandle {
        0
    }
}

#[cfg(test)]
mod tests;
