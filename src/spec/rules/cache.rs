//! Loads that read and write through caches.

use super::groups::group;
use crate::model::Workload;
use crate::spec::cache::{
    Cache, Format, FoundBy, Guard, Invalidate, Layer, LayerIn, Naming, Origin, Place, Policy,
    Stampede, Warm, Without, Write,
};
use crate::spec::decode::{At, Field};
use crate::spec::diagnostic::Diagnostics;
use crate::spec::file::scenario::{LayerMap, LoadMap};
use crate::spec::quantity::{Bytes, Percent, Time, Times};
use crate::spec::scenario::Load;
use crate::spec::source::Span;
use crate::spec::topology::{Group, Topology};

/// Nobody has more.
const LAYERS: usize = 4;
const TTL: Time = Time::secs(60);
const CAPACITY: Bytes = Bytes(8 << 20);
const LATENCY: Times = Times(Time::millis(5), Time::millis(10));
const QUEUE: u32 = 1_000;
/// The groups of the layers that have one, the farthest first; without such a layer, that of the load.
pub fn groups<'t>(
    map: &LoadMap,
    span: &Span,
    topology: &'t Topology,
    errors: &mut Diagnostics,
) -> Option<Vec<&'t Group>> {
    if let Some(at) = map.groups.given() {
        errors.add(&at.span, "a cache's layers have its groups", "write `group` in its layers");
        return None;
    }
    let layers = map.layers.given().map_or(&[][..], |at| &at.value.0);
    let of_layers: Vec<&Field<String>> = layers
        .iter()
        .rev()
        .map(|(_, layer)| &layer.group)
        .filter(|at| at.given().is_some())
        .collect();
    if let (Some(Field::Given(layer)), Some(at)) = (of_layers.first(), map.group.given()) {
        let message = format!("the layers have the group `{}` already", layer.value);
        errors.add(&at.span, message, "leave `group` out");
    }
    if let [Field::Given(far), Field::Given(near), ..] = of_layers[..]
        && far.value == near.value
    {
        let message = format!("the layer behind it is in the group `{}` too", far.value);
        errors.add(&near.span, message, "give it another group, or leave one of the layers out");
    }
    let own = [&map.group];
    let all = if of_layers.is_empty() { &own[..] } else { &of_layers };
    all.iter().map(|field| group(field, span, topology, errors)).collect()
}

/// What the load reads and writes through; none if its workload is another one.
pub fn check(
    map: &LoadMap,
    workload: Workload,
    (largest, group): (usize, &Group),
    errors: &mut Diagnostics,
) -> Option<Cache> {
    if workload != Workload::Cache {
        let given = [
            map.layers.given().map(|at| (&at.span, "layers")),
            map.origin.given().map(|at| (&at.span, "origin")),
            map.stampede.given().map(|at| (&at.span, "stampede")),
            map.invalidate.given().map(|at| (&at.span, "invalidate")),
            map.write.given().map(|at| (&at.span, "write")),
            map.warm.given().map(|at| (&at.span, "warm")),
            map.guard.given().map(|at| (&at.span, "guard")),
            map.without.given().map(|at| (&at.span, "without")),
            map.naming.given().map(|at| (&at.span, "naming")),
            map.verify.given().map(|at| (&at.span, "verify")),
            map.pool.given().map(|at| (&at.span, "pool")),
            map.format.given().map(|at| (&at.span, "format")),
            map.absent.given().map(|at| (&at.span, "absent")),
            map.bound.given().map(|at| (&at.span, "bound")),
        ];
        for (span, key) in given.into_iter().flatten() {
            let message = format!("the workload `{}` has no `{key}`", workload.word());
            errors.add(span, message, format!("write `workload: cache`, or leave `{key}` out"));
        }
        return None;
    }
    let layers = layers(map, largest, errors);
    near_group(map, &layers, errors);
    hosts(map, &layers, errors);
    tracking(map, &layers, errors);
    emptying(map, &layers, errors);
    stampede(map, &layers, errors);
    keyspace(map, group, errors);
    let without = guard(map, &layers, errors);
    let write = write(map, &layers, errors);
    library(map, &layers, write, errors);
    promise(map, errors);
    let pool = pool(map, &layers, errors);
    let format = format(map, &layers, errors);
    Some(Cache {
        layers,
        origin: origin(map),
        stampede: map.stampede.or(Stampede::None),
        invalidate: map.invalidate.or(Invalidate::Delete),
        write,
        warm: map.warm.or(Warm::None),
        without,
        naming: naming(map, errors),
        verify: map.verify.or(false),
        pool,
        format,
        absent: map.absent.or(Percent(0.0)).0 / 100.0,
        bound: map.bound.or(Time(Cache::BOUND)).0,
    })
}

/// With `invalidate: ttl` old versions are served until their time is over: there is no other bound.
fn promise(map: &LoadMap, errors: &mut Diagnostics) {
    let is_ttl = map.invalidate.given().is_some_and(|at| at.value == Invalidate::Ttl);
    if let Some(bound) = map.bound.given().filter(|_| is_ttl) {
        let message = "`bound` has no effect with `invalidate: ttl`: an old version is served until \
                       its time is over";
        errors.add(&bound.span, message, "leave it out: the layers' `ttl` is the bound");
    }
}

fn layers(map: &LoadMap, largest: usize, errors: &mut Diagnostics) -> Vec<Layer> {
    let Some(At { value, span }) = map.layers.given() else { return Vec::new() };
    let maps = &value.0;
    if maps.len() > LAYERS {
        let message = format!("there are {} layers, {LAYERS} is the most", maps.len());
        errors.add(span, message, "leave some of them out");
    }
    let farthest = maps.iter().rposition(|(_, layer)| layer.group.given().is_some());
    let each = maps.iter().enumerate();
    let layers: Vec<Layer> = each
        .filter_map(|(at, (name, map))| {
            let layer = layer(name, map, largest, errors)?;
            // Another group stands before the farthest one.
            let is_near = layer.place == Place::Group && Some(at) != farthest;
            let place = if is_near { Place::NearGroup } else { layer.place };
            Some(Layer { place, ..layer })
        })
        .collect();
    for ((name, map), pair) in maps.iter().skip(1).zip(layers.windows(2)) {
        let (near, far) = (&pair[0], &pair[1]);
        if distance(near) >= distance(far) {
            let message = format!("`{}` stands before `{}`", near.name, far.name);
            let advice = "write one layer `in: process`, then one `in: host`, then one or two with a \
                          `group`; any of them can be left out";
            errors.add(&name.span, message, advice);
        }
        if near.ttl > far.ttl {
            let message = format!(
                "a copy in `{}` is kept for {}, and in `{}` behind it for {} only",
                near.name,
                Time(near.ttl),
                far.name,
                Time(far.ttl)
            );
            let at = map.ttl.given().map_or(&name.span, |at| &at.span);
            errors.add(at, message, "keep it for as long in the farther layer at least");
        }
    }
    layers
}

/// Nearer ones come first, and there is one of each.
fn distance(layer: &Layer) -> u8 {
    match layer.place {
        Place::Process { .. } => 0,
        Place::Host { .. } => 1,
        Place::NearGroup => 2,
        Place::Group => 3,
    }
}

/// Each host has an instance.
fn hosts(map: &LoadMap, layers: &[Layer], errors: &mut Diagnostics) {
    let count = layers.iter().find_map(|layer| match layer.place {
        Place::Host { count, .. } => Some(u32::from(count)),
        Place::Process { .. } | Place::NearGroup | Place::Group => None,
    });
    let instances = map.instances.or(1);
    if let (Some(at), Some(count)) = (map.layers.given(), count.filter(|count| *count > instances))
    {
        let message = format!("there are {count} hosts, and instances on {instances} of them only");
        errors.add(&at.span, message, "give the load more `instances`, or make `count` smaller");
    }
}

/// A nearer group is emptied by the names of entities, one by one, and its servers tell nobody.
fn near_group(map: &LoadMap, layers: &[Layer], errors: &mut Diagnostics) {
    let by_name = |way: Invalidate| way.found_by() == FoundBy::Name && !way.is_by_servers();
    let other = map.invalidate.given().filter(|at| !by_name(at.value));
    let layer = layers.iter().find(|layer| layer.place == Place::NearGroup);
    if let (Some(at), Some(layer)) = (other, layer) {
        let message =
            format!("`invalidate: {}` says nothing of the copies in `{}`", at.value, layer.name);
        errors.add(&at.span, message, "write `publish` or `confirmed`, or leave that layer out");
    }
}

/// Servers tell who has read a copy, and not who got it from a neighbour.
fn tracking(map: &LoadMap, layers: &[Layer], errors: &mut Diagnostics) {
    let tracking = map.invalidate.given().filter(|at| at.value == Invalidate::Tracking);
    let is_host = |layer: &&Layer| matches!(layer.place, Place::Host { .. });
    if let (Some(at), Some(layer)) = (tracking, layers.iter().find(is_host)) {
        let message = format!(
            "by `tracking` servers tell who has read a copy, and not who got it from `{}`",
            layer.name
        );
        errors.add(&at.span, message, "write `tracking-broadcast`, or leave that layer out");
    }
}

/// Ways that find copies in the group by more than the name of their entity.
fn emptying(map: &LoadMap, layers: &[Layer], errors: &mut Diagnostics) {
    let by_more = |way: &Invalidate| way.found_by() != FoundBy::Name;
    let Some(At { value: way, span }) = map.invalidate.given().filter(|at| by_more(&at.value))
    else {
        return;
    };
    if layers.iter().all(|layer| layer.place != Place::Group) {
        let message = format!("`invalidate: {way}` needs a layer that is a group");
        errors.add(span, message, "add one under `layers`, or write another way to invalidate");
    }
    let write = map.write.or(Write::Aside);
    if matches!(write, Write::Through | Write::Behind) {
        let message = format!("by `write: {write}` the copy is replaced, and by `{way}` it goes");
        errors.add(span, message, "write `aside` or `ahead`, or another way to invalidate");
    }
    let naming = map.naming.given().filter(|at| at.value != Naming::Plain);
    if let Some(at) = naming.filter(|_| way.is_of_families()) {
        let message = format!("by `{way}` the names of copies say whose things they are");
        errors.add(&at.span, message, "write `naming: plain`, or another way to invalidate");
    }
}

fn layer(
    name: &At<String>,
    map: &LayerMap,
    largest: usize,
    errors: &mut Diagnostics,
) -> Option<Layer> {
    let place = match (map.place.given(), map.group.given()) {
        (Some(_), Some(at)) => {
            let message = format!(
                "`{}` is in a process, on a host or in a group, and not in two",
                name.value
            );
            errors.add(&at.span, message, "leave one of them out");
            return None;
        }
        (Some(At { value: place, .. }), None) => {
            let capacity = map.capacity.or(CAPACITY).0;
            if let Some(at) = map.capacity.given().filter(|_| capacity < largest as u64) {
                let message = format!("no value of {} has room there", Bytes(largest as u64));
                errors.add(&at.span, message, "make `capacity` larger, or `value` smaller");
            }
            let policy = map.policy.or(Policy::Lru);
            match place {
                LayerIn::Process => Place::Process { capacity, policy },
                LayerIn::Host => Place::Host { count: map.count.or(1) as u16, capacity, policy },
            }
        }
        (None, Some(_)) => {
            if let Some(at) = map.capacity.given() {
                let message = "what a group has room for, its servers say";
                errors.add(&at.span, message, "write `maxmemory` under the group's `config`");
            }
            if let Some(at) = map.policy.given() {
                let message = "what a group evicts, its servers say";
                errors.add(
                    &at.span,
                    message,
                    "write `maxmemory-policy` under the group's `config`",
                );
            }
            Place::Group
        }
        (None, None) => {
            let message = format!("nobody knows where the layer `{}` is", name.value);
            errors.add(
                &name.span,
                message,
                "add `in: process`, `in: host`, or `group:` with a name",
            );
            return None;
        }
    };
    if let (Some(at), false) = (map.count.given(), matches!(place, Place::Host { .. })) {
        let message = format!("`{}` is on no hosts that could be counted", name.value);
        errors.add(&at.span, message, "write `in: host`, or leave `count` out");
    }
    let jitter = map.jitter.or(Percent(0.0)).0 / 100.0;
    Some(Layer { name: name.value.clone(), place, ttl: map.ttl.or(TTL).0, jitter })
}

/// Most ways need something that all processes see.
fn stampede(map: &LoadMap, layers: &[Layer], errors: &mut Diagnostics) {
    let Some(At { value, span }) = map.stampede.given() else { return };
    let in_process = matches!(value, Stampede::None | Stampede::SingleFlight);
    if !in_process && layers.iter().all(|layer| layer.place != Place::Group) {
        let message = format!("`stampede: {}` needs a layer that is a group", value.word());
        errors.add(span, message, "add one under `layers`, or write `none` or `single-flight`");
    }
}

/// What a library does with its copies is its own affair.
fn library(map: &LoadMap, layers: &[Layer], write: Write, errors: &mut Diagnostics) {
    if !map.client.given().is_some_and(|at| at.value.is_an_adapter()) {
        return;
    }
    let given = [
        map.stampede.given().map(|at| (&at.span, "stampede")),
        map.invalidate.given().map(|at| (&at.span, "invalidate")),
        map.guard.given().map(|at| (&at.span, "guard")),
        map.naming.given().map(|at| (&at.span, "naming")),
        map.verify.given().map(|at| (&at.span, "verify")),
        map.pool.given().map(|at| (&at.span, "pool")),
        map.format.given().map(|at| (&at.span, "format")),
    ];
    for (span, key) in given.into_iter().flatten() {
        let message = format!("a library's cache has its own way: `{key}` says nothing to it");
        errors.add(span, message, format!("leave `{key}` out, or use `client: redrill`"));
    }
    if let (Some(at), Write::Behind | Write::Ahead) = (map.write.given(), write) {
        let message = format!("adapters have no orders for `write: {write}`");
        errors.add(&at.span, message, "write `aside` or `through`, or use `client: redrill`");
    }
    let is_elsewhere = |layer: &Layer| matches!(layer.place, Place::Host { .. } | Place::NearGroup);
    if let (Some(at), true) = (map.layers.given(), layers.iter().any(is_elsewhere)) {
        let message = "a library keeps copies in its process and in one group, and nowhere else";
        errors.add(&at.span, message, "leave that layer out, or use `client: redrill`");
    }
}

/// What is left in the group needs a group, and is not deleted.
fn write(map: &LoadMap, layers: &[Layer], errors: &mut Diagnostics) -> Write {
    let write = map.write.or(Write::Aside);
    let Some(at) = map.write.given().filter(|_| write != Write::Aside) else { return write };
    if layers.iter().all(|layer| layer.place != Place::Group) {
        let message = format!("`write: {write}` needs a layer that is a group");
        errors.add(&at.span, message, "add one under `layers`, or write `aside`");
    }
    let is_heard = |at: &&At<Invalidate>| at.value == Invalidate::Keyspace;
    if let (Some(way), Write::Through | Write::Behind) =
        (map.invalidate.given().filter(is_heard), write)
    {
        let message = format!("by `write: {write}` no key is deleted, and servers tell of nothing");
        errors.add(&way.span, message, "write `tracking-broadcast`, or another way to invalidate");
    }
    write
}

/// What a read gets while a circuit breaker is open; none without one.
fn guard(map: &LoadMap, layers: &[Layer], errors: &mut Diagnostics) -> Option<Without> {
    let is_breaker = map.guard.or(Guard::None) == Guard::Breaker;
    if let Some(at) = map.without.given().filter(|_| !is_breaker) {
        let message = "`without` says what a read gets while a circuit breaker is open";
        errors.add(&at.span, message, "add `guard: breaker`, or leave `without` out");
    }
    let has_group = layers.iter().any(|layer| layer.place == Place::Group);
    if let Some(at) = map.guard.given().filter(|_| is_breaker && !has_group) {
        let message = "a circuit breaker needs a layer that is a group";
        errors.add(&at.span, message, "add one under `layers`, or leave `guard` out");
    }
    is_breaker.then(|| map.without.or(Without::Origin))
}

/// Requests that wait for each other are those to the group.
fn pool(map: &LoadMap, layers: &[Layer], errors: &mut Diagnostics) -> Option<u32> {
    let At { value, span } = map.pool.given()?;
    if layers.iter().all(|layer| layer.place != Place::Group) {
        let message = "`pool` limits requests to a group, and no layer is one";
        errors.add(span, message, "add one under `layers`, or leave `pool` out");
    }
    Some(*value)
}

/// Servers tell of keys, and nobody knows whose they are if their names do not say so.
fn naming(map: &LoadMap, errors: &mut Diagnostics) -> Naming {
    let naming = map.naming.or(Naming::Plain);
    let heard = map.invalidate.given().filter(|at| at.value.is_by_servers());
    if let (Some(at), Some(way)) = (map.naming.given().filter(|_| naming != Naming::Plain), heard) {
        let message = format!("servers tell of keys by `{}`, and not of entities", way.value);
        errors.add(&at.span, message, "write `naming: plain`, or another way to invalidate");
    }
    naming
}

/// How copies stand in the group, if there are some.
fn format(map: &LoadMap, layers: &[Layer], errors: &mut Diagnostics) -> Format {
    let has_group = layers.iter().any(|layer| layer.place == Place::Group);
    if let Some(at) = map.format.given().filter(|_| !has_group) {
        let message = "`format` says how copies stand in a group, and no layer is one";
        errors.add(&at.span, message, "add one under `layers`, or leave `format` out");
    }
    map.format.or(Format::JSON)
}

/// Servers tell of deleted keys only if they are told to.
fn keyspace(map: &LoadMap, group: &Group, errors: &mut Diagnostics) {
    let Some(At { span, .. }) =
        map.invalidate.given().filter(|at| at.value == Invalidate::Keyspace)
    else {
        return;
    };
    let told = group.directive("notify-keyspace-events").unwrap_or_default();
    if !(told.contains('E') && told.contains(['g', 'A'])) {
        let message = format!("the servers of `{}` do not tell of deleted keys", group.name);
        let advice = "write `notify-keyspace-events: Eg` under the group's `config`";
        errors.add(span, message, advice);
    }
}

fn origin(map: &LoadMap) -> Origin {
    let given = map.origin.given().map(|at| &at.value);
    let Times(least, most) = given.map_or(LATENCY, |origin| origin.latency.or(LATENCY));
    Origin {
        latency: (least.0, most.0),
        capacity: given.and_then(|origin| origin.capacity.given()).map(|at| at.value.0),
        queue: given.map_or(QUEUE, |origin| origin.queue.or(QUEUE)),
    }
}

/// What is wrong if a load is another service on the entities of `other`, and what to do: both rely
/// on the same news and the same copies.
pub fn of_other_copies(own: &Load, other: &Load) -> Option<(String, &'static str)> {
    let (cache, theirs) = (own.cache.as_ref()?, other.cache.as_ref()?);
    let far = |cache: &Cache| cache.layers.iter().any(|layer| layer.place == Place::Group);
    if cache.invalidate != theirs.invalidate {
        let message = format!("`{}` has `invalidate: {}`", other.name, theirs.invalidate);
        return Some((message, "give both the same: each is to hear of the other's writes"));
    }
    if cache.write != theirs.write {
        let message = format!("`{}` has `write: {}`", other.name, theirs.write);
        return Some((message, "give both the same: they have their copies in common"));
    }
    if cache.bound != theirs.bound {
        let message = format!("`{}` has `bound: {}`", other.name, Time(theirs.bound));
        return Some((message, "give both the same: they are judged together"));
    }
    if cache.naming != theirs.naming {
        let message = format!("`{}` has `naming: {}`", other.name, theirs.naming);
        return Some((message, "give both the same: they have their copies in common"));
    }
    if cache.format != theirs.format {
        let message = format!("`{}` has `format: {}`", other.name, theirs.format);
        return Some((message, "give both the same: they have their copies in common"));
    }
    (far(cache) != far(theirs)).then(|| {
        let has = if far(theirs) { "has" } else { "has no" };
        let message = format!("`{}` {has} a layer that is a group", other.name);
        (message, "give both such a layer, or none")
    })
}
