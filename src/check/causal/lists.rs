//! A list of numbers for each of many numbers, in two vectors.

/// In place of a `Vec<Vec<u32>>`, which takes four times the memory.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Where the list of each number begins, and where the last one ends.
    begins: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    /// Each pair is a number below `count` and an item of its list. Items stay in their order.
    pub fn of(count: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Lists {
        // Two places further on, because filling the lists moves each begin to its end.
        let mut begins = vec![0; count + 2];
        for (at, _) in pairs.clone() {
            begins[at as usize + 2] += 1;
        }
        for at in 1..begins.len() {
            begins[at] += begins[at - 1];
        }
        let mut items = vec![0; begins.last().map_or(0, |all| *all as usize)];
        for (at, item) in pairs {
            let next = &mut begins[at as usize + 1];
            items[*next as usize] = item;
            *next += 1;
        }
        begins.pop();
        Lists { begins, items }
    }

    pub fn get(&self, at: u32) -> &[u32] {
        let at = at as usize;
        &self.items[self.begins[at] as usize..self.begins[at + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_has_its_items_in_order() {
        let lists = Lists::of(4, [(2, 7), (0, 5), (2, 6)].into_iter());
        let all: Vec<&[u32]> = (0..4).map(|at| lists.get(at)).collect();
        assert_eq!(all, [&[5][..], &[], &[7, 6], &[]]);
    }
}
