//! Rules that share a cookie: a rule that keeps a subset in it would lose it to the other.

use super::fields::{Errors, Place, quoted};
use crate::rule::Rule;
use crate::rule::hosts::HostPattern;
use std::collections::HashMap;

/// The cookies of the rules so far, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedCookies(ByName<Users>);

/// Values by name. The places are a map of a type that is also used elsewhere: another type would add 4 KB to the module.
#[derive(Clone, Debug)]
struct ByName<T> {
    places: HashMap<String, u32>,
    values: Vec<T>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        ByName { places: HashMap::default(), values: Vec::new() }
    }
}

impl<T> ByName<T> {
    fn get(&self, name: &str) -> Option<&T> {
        self.values.get(*self.places.get(name)? as usize)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.values.get_mut(*self.places.get(name)? as usize)
    }

    fn insert(&mut self, name: &str, value: T) {
        self.places.insert(name.to_owned(), self.values.len() as u32);
        self.values.push(value);
    }
}

/// The rules that use one cookie. Most cookies belong to one rule, so hosts are compared only from the second rule on.
#[derive(Clone, Debug)]
enum Users {
    One(User, Box<[HostPattern]>),
    Several(Box<Meetings>),
}

/// A rule that uses a cookie.
#[derive(Clone, Copy, Debug)]
struct User {
    /// Its index in the list.
    at: usize,
    keeps: bool,
}

impl SharedCookies {
    /// Adds the rule at this place; false, and an error, if an earlier rule has the same cookie, one of the two keeps a subset,
    /// and a host could meet both.
    pub(super) fn add(&mut self, at: usize, rule: &Rule, place: &Place, errors: &mut Errors) -> bool {
        let Some((cookie, keeps)) = rule.cookie() else { return true };
        let user = User { at, keeps };
        let Some(users) = self.0.get_mut(&cookie.name) else {
            self.0.insert(&cookie.name, Users::One(user, rule.hosts.clone()));
            return true;
        };
        if let Users::One(first, hosts) = users {
            let mut meetings = Box::<Meetings>::default();
            meetings.add(*first, hosts);
            *users = Users::Several(meetings);
        }
        let Users::Several(meetings) = users else { return true };
        match meetings.rival(user, &rule.hosts) {
            None => {
                meetings.add(user, &rule.hosts);
                true
            }
            Some(rival) => {
                let by = place.field(if rule.remember.is_some() { "remember" } else { "sticky" });
                errors.add(
                    &by.field("cookie").field("name"),
                    format_args!(
                        "{} is the cookie of rules[{}] too, and {} keeps a subset in it: at a host of both, each would \
                        overwrite the other's value; give one of them another name",
                        quoted(&cookie.name),
                        rival.at,
                        if keeps { "this rule" } else { "that one" },
                    ),
                );
                false
            }
        }
    }
}

/// The first rule of some, and the first that keeps a subset.
#[derive(Clone, Copy, Debug, Default)]
struct First {
    any: Option<User>,
    keeping: Option<User>,
}

impl First {
    fn add(&mut self, user: User) {
        self.any = self.any.or(Some(user));
        self.keeping = self.keeping.or(user.keeps.then_some(user));
    }

    /// The first rule that cannot share the cookie with this one.
    fn rival(self, user: User) -> Option<User> {
        if user.keeps { self.any } else { self.keeping }
    }
}

/// Which rules use a cookie at which hosts.
#[derive(Clone, Debug, Default)]
struct Meetings {
    all: First,
    /// At every host.
    everywhere: First,
    exact: ByName<First>,
    /// By the domain of `*.DOMAIN`.
    below: ByName<First>,
    /// The rules with a host below this domain.
    within: ByName<First>,
}

impl Meetings {
    fn add(&mut self, user: User, hosts: &[HostPattern]) {
        self.all.add(user);
        if hosts.is_empty() {
            self.everywhere.add(user);
        }
        let add = |map: &mut ByName<First>, host: &str| match map.get_mut(host) {
            Some(first) => first.add(user),
            None => map.insert(host, First { any: Some(user), keeping: user.keeps.then_some(user) }),
        };
        for host in hosts {
            match host {
                HostPattern::Any => self.everywhere.add(user),
                HostPattern::Exact(host) => {
                    add(&mut self.exact, host);
                    parents(host).for_each(|parent| add(&mut self.within, parent));
                }
                HostPattern::Below(domain) => {
                    add(&mut self.below, domain);
                    add(&mut self.within, domain);
                    parents(domain).for_each(|parent| add(&mut self.within, parent));
                }
            }
        }
    }

    /// A rule that cannot share the cookie with this one at one of these hosts.
    fn rival(&self, user: User, hosts: &[HostPattern]) -> Option<User> {
        let of = |map: &ByName<First>, host: &str| map.get(host).and_then(|first| first.rival(user));
        let at = |host: &HostPattern| match host {
            HostPattern::Any => self.all.rival(user),
            HostPattern::Exact(host) => {
                of(&self.exact, host).or_else(|| parents(host).find_map(|parent| of(&self.below, parent)))
            }
            HostPattern::Below(domain) => {
                of(&self.within, domain).or_else(|| parents(domain).find_map(|parent| of(&self.below, parent)))
            }
        };
        if hosts.is_empty() {
            return self.all.rival(user);
        }
        self.everywhere.rival(user).or_else(|| hosts.iter().find_map(at))
    }
}

/// The domains above a host.
fn parents(host: &str) -> impl Iterator<Item = &str> {
    host.match_indices('.').filter_map(|(dot, _)| host.get(dot + 1..))
}
