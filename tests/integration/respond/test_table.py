# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of requests: what is said to each, by the rules and not by the program. A difference fails."""
import ask
import cast
import table_answers
import table_http
from expect import Row
from harness import Failed, add_case, case, expect, expect_equal, main
from talk import Closed, Talk, get

LONGEST_PATH = 7800  # longer ones may be refused: 8 KiB


def check(row):
    """One row, on a connection of its own. An answer, and nothing behind it."""
    with Talk(cast.running().address) as talk:
        talk.send_what_fits(row.data)
        try:
            answer = talk.read(to_head=row.more.get("to_head", False))
        except Closed:
            expect(row.more.get("may_close"), "closed without an answer")
            return
        row.want(row, answer)
        if row.more.get("ends"):
            expect_equal((answer.field("connection") or "").lower(), "close", "Connection")
            talk.drain()
        else:
            expect_equal(talk.buffer, b"", "bytes behind the answer")


for each in table_answers.rows + table_http.rows:
    add_case(each.name, lambda row=each: check(row))


def differences(rows, send):
    """All rows on one connection, each asked and answered before the next."""
    found = []
    with Talk(cast.running().address) as talk:
        for row in rows:
            talk.send(send(row))
            try:
                row.want(row, talk.read())
            except Failed as failed:
                found.append(f"{row.name}: {failed}")
    expect(not found, "\n".join(found))


@case
def all_of_it_by_GET_on_one_connection():
    rows = [r for r in table_answers.rows if r.request and len(ask.path_raw(r.request)) < LONGEST_PATH]
    expect(len(rows) >= 120, f"only {len(rows)} rows")
    differences(rows, lambda row: get(ask.path_escaped(row.request)))


@case
def all_of_it_by_POST_on_one_connection():
    differences(table_answers.rows, lambda row: row.data)


@case
def all_of_it_again_now_that_it_may_have_been_kept():
    differences(table_answers.rows, lambda row: row.data)


@case
def the_table_is_long_enough_to_be_one():
    expect(all(isinstance(row, Row) for row in table_answers.rows + table_http.rows), "rows")
    expect(len(table_answers.rows) + len(table_http.rows) >= 200, "fewer rows than there were")


@case
def it_is_still_well_and_ends_well():
    expect_equal(cast.running().post(ask.request(ask.cert_id(cast.main, cast.GOOD))).single.status, "good", "status")
    cast.running().stop_well()


main()
