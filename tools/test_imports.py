"""The checker of imports finds a planted circle, however it is written, and none where there is none.

    .tools/venv/bin/python -m unittest discover --start-directory tools
"""

import tempfile
import unittest
from pathlib import Path

from imports import check


def found(files, chosen=("shared/core",)):
    """What is wrong in a workspace of these files."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("shared/core", "shared/access", "shared/runtime", "functions/s3"):
            (root / name / "src").mkdir(parents=True)
            (root / name / "Cargo.toml").write_text(f'[package]\nname = "ours-{Path(name).name}"\n')
        for name, text in files.items():
            path = root / (name if "/" in name and not name.startswith("a/") else f"shared/core/src/{name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return check(root, chosen)


class Circles(unittest.TestCase):
    def assert_circle(self, files, *edges):
        lines = "\n".join(found(files))
        for edge in edges:
            self.assertIn(edge, lines)

    def assert_none(self, files):
        self.assertEqual(found(files), [])

    def test_two_files_that_import_each_other(self):
        files = {
            "lib.rs": "mod a;\nmod b;",
            "a.rs": "use crate::b::B;\npub struct A(B);",
            "b.rs": "\nuse crate::a::A;\npub struct B(Box<A>);",
        }
        self.assert_circle(files, "shared/core: 2 files import each other", "a.rs → b.rs: B (line 1)", "b.rs → a.rs: A (line 2)")

    def test_a_circle_through_a_third_file(self):
        files = {
            "lib.rs": "mod a; mod b; mod c;",
            "a.rs": "use crate::b::b; pub fn a() { b() }",
            "b.rs": "use super::c; pub fn b() { c::c() }",
            "c.rs": "pub fn c() { let f = crate::a::a; f() }",
        }
        self.assert_circle(files, "3 files", "b.rs → c.rs: c", "c.rs → a.rs: a")

    def test_a_reexport_is_followed_to_where_the_item_is_defined(self):
        files = {
            "lib.rs": "mod a; mod b; pub use a::A; pub use b::{B, B as Other};",
            "a.rs": "use crate::Other; pub struct A(Other);",
            "b.rs": "pub struct B;",
        }
        self.assert_none(files)
        files["b.rs"] = "use crate::A; pub struct B(Box<A>);"
        self.assert_circle(files, "2 files", "a.rs → b.rs", "b.rs → a.rs: A")

    def test_a_parent_that_uses_what_its_child_takes_from_it(self):
        files = {
            "lib.rs": "mod a;",
            "a/mod.rs": "mod child; pub use child::{Child, other}; pub struct Error;",
            "a/child.rs": "use super::Error; pub struct Child(Error); pub fn other() {}",
        }
        self.assert_none(files)
        files["a/mod.rs"] += " pub fn a() { other() }"
        self.assert_circle(files, "2 files", "a/mod.rs → a/child.rs: other", "a/child.rs → a/mod.rs: Error")

    def test_all_of_a_module(self):
        files = {
            "lib.rs": "mod a; mod b; pub mod all { pub use crate::b::*; }",
            "a.rs": "use crate::all::*; pub struct A(B);",
            "b.rs": "pub struct B;",
        }
        self.assert_none(files)
        files["b.rs"] = "use crate::a::*; pub struct B(Box<A>);"
        self.assert_circle(files, "2 files", "a.rs → b.rs: B", "b.rs → a.rs: A")

    def test_inline_modules_and_nested_uses_belong_to_their_file(self):
        files = {
            "lib.rs": "mod a; mod b;",
            "a.rs": "mod inner { use super::super::b::{self, B}; fn f() -> B { b::make() } } pub struct A;",
            "b.rs": "pub struct B; pub fn make() -> B { { use crate::{a::{A as Ours}}; drop(Ours); } B }",
        }
        self.assert_circle(files, "2 files", "a.rs → b.rs: B", "b.rs → a.rs: A")

    def test_an_attribute_that_names_a_function(self):
        files = {
            "lib.rs": "mod a; mod b;",
            "a.rs": 'pub struct A { #[serde(default = "crate::b::default")] x: u8 }',
            "b.rs": "use crate::a::A; pub fn default() -> u8 { A.x }",
        }
        self.assert_circle(files, "a.rs → b.rs: default")

    def test_tests_comments_and_texts_do_not_count(self):
        b = """
            //! As [`crate::a::A`].
            /* crate::a::A /* crate::a::A */ crate::a::A */
            pub struct B;
            const T: &str = "crate::a::A"; const R: &str = r#"" crate::a::A "#; const C: char = '"';
            pub fn with<'a>(b: &'a B) {
                #[cfg(test)]
                crate::a::seen(b);
            }
            #[cfg(test)]
            use crate::a::A;
            #[cfg(all(test, unix))]
            #[allow(unused)]
            fn only_tested() -> crate::a::A { crate::a::A }
            #[cfg(test)]
            mod tests { use crate::a::A; #[test] fn t() { A; } }
            #[cfg(test)]
            mod elsewhere;
        """
        files = {"lib.rs": "mod a; mod b;", "a.rs": "pub struct A(crate::b::B);", "b.rs": b}
        self.assert_none(files)
        for code in ("pub type Last = crate::a::A;", "#[cfg(not(test))] use crate::a::A;"):
            self.assert_circle(files | {"b.rs": b + code}, "2 files", "b.rs → a.rs: A (line")

    def test_a_name_of_another_crate_is_none_of_ours(self):
        files = {
            "lib.rs": "mod a; mod b;",
            "a.rs": "use ::std::fmt; use other::b; use crate::b::B; pub struct A(B, fmt::Error); fn f(a: &A) { b::b(a) }",
            "b.rs": "use other::a; pub struct B; fn f() { a::a(); let a = 1; a.a() }",
        }
        self.assert_none(files)

    def test_a_binary_has_a_tree_of_its_own(self):
        files = {
            "lib.rs": "pub mod a;",
            "a.rs": "pub struct A;",
            "main.rs": "mod a; pub struct Error; fn main() { a::run() }",
        }
        self.assert_none(files)
        files["a.rs"] = "use crate::Error; pub fn run() -> Error { Error }"
        self.assert_circle(files, "2 files", "main.rs → a.rs: run", "a.rs → main.rs: Error")


class Direction(unittest.TestCase):
    def test_a_crate_below_must_not_depend_on_one_above(self):
        def with_dependency(of, on, section="dependencies"):
            manifest = f'[package]\nname = "ours-{Path(of).name}"\n\n[{section}]\nserde = "1"\nours-{on}.workspace = true\n'
            return found({f"{of}/Cargo.toml": manifest}, chosen=("shared/core",))

        self.assertEqual(with_dependency("shared/core", "access"), ["shared/core must not depend on shared/access"])
        self.assertEqual(with_dependency("shared/access", "core"), ["shared/access must not depend on shared/core"])
        self.assertEqual(with_dependency("shared/runtime", "s3"), ["shared/runtime must not depend on functions/s3"])
        self.assertEqual(with_dependency("functions/s3", "s3"), ["functions/s3 must not depend on functions/s3"])
        self.assertEqual(with_dependency("functions/s3", "runtime"), [])
        self.assertEqual(with_dependency("shared/runtime", "core"), [])
        self.assertEqual(with_dependency("shared/core", "access", "dev-dependencies"), [])


if __name__ == "__main__":
    unittest.main()
