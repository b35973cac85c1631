from beatingbert.engines.shelf import Shelf


def test_what_was_loaded_last_is_not_loaded_again() -> None:
    shelf, loads = Shelf(), []
    for _ in range(3):
        found, was_here = shelf.take("a", lambda: loads.append("a") or ["a"])
    assert (found, was_here, loads) == (["a"], True, ["a"])


def test_the_old_is_let_go_before_the_new_is_loaded() -> None:
    import weakref

    class Weights:
        pass

    shelf = Shelf()
    old = weakref.ref(shelf.take("old", Weights)[0])
    seen = []
    shelf.take("new", lambda: seen.append(old()) or Weights())
    assert seen == [None]


def test_a_change_is_undone_before_the_next_one_takes_it_and_only_then() -> None:
    shelf, done = Shelf(), []
    shelf.take("a", list)
    shelf.undo_before_next(lambda: done.append("undone"))
    assert done == []
    shelf.take("a", list)
    shelf.take("a", list)
    assert done == ["undone"]


def test_nothing_is_undone_in_what_is_thrown_away() -> None:
    shelf, done = Shelf(), []
    shelf.take("a", list)
    shelf.undo_before_next(lambda: done.append("undone"))
    shelf.take("b", list)
    shelf.take("b", list)
    assert done == []


def test_a_load_that_fails_leaves_nothing() -> None:
    shelf = Shelf()
    shelf.take("a", lambda: "a")

    def fail() -> None:
        raise OSError("no such weights")

    try:
        shelf.take("b", fail)
    except OSError:
        pass
    assert shelf.take("a", lambda: "again") == ("again", False)
