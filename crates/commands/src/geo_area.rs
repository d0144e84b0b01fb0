//! Areas that GEO commands look in: circles and boxes on a ball as large as the Earth, and the cells that cover them.

use crate::geohash::{Geohash, Point, STEP_MAX};

/// Radius of the ball, in meters.
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
/// Half the side of the Web Mercator projection's square, in meters.
const MERCATOR_MAX_M: f64 = 20_037_726.37;
const RADIANS_PER_DEGREE: f64 = std::f64::consts::PI / 180.0;

fn radians(degrees: f64) -> f64 {
    degrees * RADIANS_PER_DEGREE
}

fn degrees(radians: f64) -> f64 {
    radians / RADIANS_PER_DEGREE
}

/// Meters between two places, by the haversine formula.
pub(crate) fn distance_m(a: Point, b: Point) -> f64 {
    let v = ((radians(b.longitude) - radians(a.longitude)) / 2.0).sin();
    if v == 0.0 {
        return latitude_distance_m(a.latitude, b.latitude);
    }
    let (latitude_a, latitude_b) = (radians(a.latitude), radians(b.latitude));
    let u = ((latitude_b - latitude_a) / 2.0).sin();
    let haversine = u * u + latitude_a.cos() * latitude_b.cos() * v * v;
    2.0 * EARTH_RADIUS_M * haversine.sqrt().asin()
}

/// Meters between two places on one meridian.
fn latitude_distance_m(a: f64, b: f64) -> f64 {
    EARTH_RADIUS_M * (radians(b) - radians(a)).abs()
}

/// The form of an area around its middle. Lengths are in the unit the client gave them in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

/// An area.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    pub(crate) center: Point,
    pub(crate) shape: Shape,
    /// Meters of the unit of `shape`.
    pub(crate) unit_m: f64,
}

impl Area {
    /// How far `point` is from the middle, in meters, when it is in the area.
    pub(crate) fn distance_within_m(&self, point: Point) -> Option<f64> {
        let center = self.center;
        match self.shape {
            Shape::Circle { radius } => {
                let distance_m = distance_m(center, point);
                (distance_m <= radius * self.unit_m).then_some(distance_m)
            }
            Shape::Box { width, height } => {
                let inside = latitude_distance_m(point.latitude, center.latitude)
                    <= height * self.unit_m / 2.0
                    && distance_m(point, Point { latitude: point.latitude, ..center })
                        <= width * self.unit_m / 2.0;
                inside.then(|| distance_m(center, point))
            }
        }
    }

    /// Cells that cover the area, in the order they are looked through. One may come twice.
    pub(crate) fn cells(&self) -> impl Iterator<Item = Geohash> {
        let bounds = self.bounds();
        let step = bounds.step_that_fits(self.center, estimated_step(self.radius_m(), self.center.latitude));
        let middle = Geohash::of(self.center, step);
        let around = middle.bounds();
        let useless = move |east: i32, north: i32| {
            step >= 2
                && (north < 0 && around.south < bounds.south
                    || north > 0 && around.north > bounds.north
                    || east < 0 && around.west < bounds.west
                    || east > 0 && around.east > bounds.east)
        };
        const ORDER: [(i32, i32); 9] =
            [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let wanted = ORDER.into_iter().filter(move |&(east, north)| !useless(east, north));
        // With the largest areas, neighbors are the same cell. Redis leaves out one that is the same as that before
        // it, but for the middle's; so do we, as results would come in another number.
        let mut before = None;
        wanted.map(move |(east, north)| (east, north, middle.neighbor(east, north))).filter_map(
            move |(east, north, cell)| {
                let again = before == Some(cell);
                before = ((east, north) != (0, 0)).then_some(cell);
                (!again).then_some(cell)
            },
        )
    }

    /// Meters from the middle to the farthest point, about.
    fn radius_m(&self) -> f64 {
        match self.shape {
            Shape::Circle { radius } => radius * self.unit_m,
            Shape::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt() * self.unit_m
            }
        }
    }

    fn bounds(&self) -> Bounds {
        let Point { longitude, latitude } = self.center;
        let (width_m, height_m) = match self.shape {
            Shape::Circle { radius } => (self.unit_m * radius, self.unit_m * radius),
            Shape::Box { width, height } => (self.unit_m * (width / 2.0), self.unit_m * (height / 2.0)),
        };
        let latitude_delta = degrees(height_m / EARTH_RADIUS_M);
        // The side that is nearer to a pole spans more degrees of longitude.
        let side = if latitude < 0.0 { latitude - latitude_delta } else { latitude + latitude_delta };
        let longitude_delta = degrees(width_m / EARTH_RADIUS_M / radians(side).cos());
        Bounds {
            west: longitude - longitude_delta,
            east: longitude + longitude_delta,
            south: latitude - latitude_delta,
            north: latitude + latitude_delta,
        }
    }
}

/// Bounds of an area, in degrees; they may go past the ends of the world.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

impl Bounds {
    /// `step`, or one less when the cell of `center` and those around it do not reach the bounds.
    fn step_that_fits(&self, center: Point, step: u32) -> u32 {
        let middle = Geohash::of(center, step);
        let reached = middle.neighbor(0, 1).bounds().north >= self.north
            && middle.neighbor(0, -1).bounds().south <= self.south
            && middle.neighbor(1, 0).bounds().east >= self.east
            && middle.neighbor(-1, 0).bounds().west <= self.west;
        if reached || step == 1 { step } else { step - 1 }
    }
}

/// How fine cells may be that the nine around a place still cover `radius_m` around it.
fn estimated_step(radius_m: f64, latitude: f64) -> u32 {
    if radius_m == 0.0 {
        return STEP_MAX;
    }
    let mut step = 1;
    let mut doubled = radius_m;
    while doubled < MERCATOR_MAX_M {
        doubled *= 2.0;
        step += 1;
    }
    // Two less, for a place near its cell's edge; and less towards the poles, where cells are narrow.
    step -= 2 + i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    step.clamp(1, STEP_MAX as i32).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALERMO: Point = Point { longitude: 13.361389338970184, latitude: 38.1155563954963 };
    const CATANIA: Point = Point { longitude: 15.087267458438873, latitude: 37.50266842333162 };

    #[test]
    fn distances_are_those_of_redis() {
        assert_eq!(format!("{:.4}", distance_m(PALERMO, CATANIA)), "166274.1516");
        assert_eq!(distance_m(PALERMO, PALERMO), 0.0);
    }

    #[test]
    fn a_circle_and_a_box_end_where_they_should() {
        let center = Point { longitude: 15.0, latitude: 37.0 };
        let area = |shape| Area { center, shape, unit_m: 1000.0 };
        let circle = |radius| area(Shape::Circle { radius });
        assert!(circle(57.0).distance_within_m(CATANIA).is_some());
        assert!(circle(56.0).distance_within_m(CATANIA).is_none());
        let rectangle = |width, height| area(Shape::Box { width, height });
        assert!(rectangle(20.0, 120.0).distance_within_m(CATANIA).is_some());
        assert!(rectangle(20.0, 100.0).distance_within_m(CATANIA).is_none());
        assert!(rectangle(10.0, 120.0).distance_within_m(CATANIA).is_none());
    }

    #[test]
    fn cells_cover_what_is_in_the_area() {
        for radius in [0.0, 1.0, 1000.0, 100_000.0, 3_000_000.0] {
            let area = Area { center: CATANIA, shape: Shape::Circle { radius }, unit_m: 1.0 };
            let cells: Vec<(f64, f64)> = area.cells().map(Geohash::scores).collect();
            assert!((1..=9).contains(&cells.len()));
            let score = CATANIA.score();
            assert!(cells.iter().any(|&(from, to)| (from..to).contains(&score)), "{radius}");
            if area.distance_within_m(PALERMO).is_some() {
                assert!(cells.iter().any(|&(from, to)| (from..to).contains(&PALERMO.score())), "{radius}");
            }
        }
    }

    #[test]
    fn the_last_meridian_is_looked_at() {
        let center = Point { longitude: 180.0, latitude: 80.0 };
        for radius in [10.0, 1000.0, 20_000.0] {
            let area = Area { center, shape: Shape::Circle { radius }, unit_m: 1000.0 };
            let score = center.score();
            assert!(
                area.cells().map(Geohash::scores).any(|(from, to)| (from..to).contains(&score)),
                "{radius}"
            );
        }
    }
}
