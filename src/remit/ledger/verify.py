"""The offline verifier: judges an export with the auditor's own keys and checkpoints, and no server.

1 the files are an export   2 a trusted key signed its head, and the manifest says the same   3 as many
entries as the head vouches for   4 each entry meets its own leaf hash   5 all together meet the signed root
6 every checkpoint held or exported is a head of this very log, none larger   7 each entry is a record in its
one encoding, once, of this tenant   8 disclosed texts meet their digests   9 the records join: each permitted
decision has its outcome, each call its decision, each task its links.

Several logs of one installation are judged each for itself, and the joins over all of them together: a kill
that ends a task of the main log may stand in another.

No number is taken from the export without being checked: sizes and roots come from signatures alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from remit.ledger.checkpoint import Checkpoint, CheckpointRejected, LogKey, verify_checkpoint
from remit.ledger.encoding import CONTENT_DIGEST, MalformedEntry, content_digest, decode_record
from remit.ledger.export import Export, MalformedExport, read_export, split_logs
from remit.ledger.joins import JoinFinding, Joins
from remit.ledger.merkle import EMPTY_ROOT, HASH_SIZE, Frontier, Hash, leaf_hash, verify_consistency

MAX_FINDINGS: Final = 1_000
"""Findings that a report lists; the rest is counted."""
_BLOCK: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as signed. `index` names the entry, None what concerns the log as a whole."""

    step: int
    code: str
    sentence: str
    index: int | None = None
    record: str = ""
    log: str = ""
    """The log that it is about; empty for the main one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the verifier found. Sound means: no finding at all."""

    origin: str
    size: int
    root: Hash
    """Of the signed head; size 0 and the empty root where no head could be trusted."""
    records: int
    """Entries that were judged."""
    in_flight: int
    """Permitted calls whose outcome may still come."""
    open_tasks: tuple[str, ...]
    """Tasks that have not ended yet."""
    undisclosed: int
    """Digests of texts that the export does not open: erased, or not asked for."""
    findings: tuple[Finding, ...]
    further: int = 0
    """Findings beyond the limit."""

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify_files(
    files: Mapping[str, bytes], *, trusted: Iterable[LogKey], held: Iterable[bytes] = ()
) -> Report:
    """Judge an export as files. Never raises for what they hold: what is unreadable is a finding."""
    try:
        exports = {log: read_export(parts) for log, parts in split_logs(files).items()}
    except MalformedExport as broken:
        unreadable = Finding(step=1, code="export_unreadable", sentence=broken.hint)
        return Report(
            origin="", size=0, root=EMPTY_ROOT, records=0, in_flight=0, open_tasks=(), undisclosed=0,
            findings=(unreadable,),
        )  # fmt: skip
    return verify_logs(exports, trusted=trusted, held=held)


def verify_logs(
    exports: Mapping[str, Export], *, trusted: Iterable[LogKey], held: Iterable[bytes] = ()
) -> Report:
    """Judge all logs of one installation, the main one under an empty name; see `verify_export`.

    A held checkpoint is for the log of its origin; one of a log that is not here is a finding.
    """
    keys, joins, base = tuple(trusted), Joins(), 0
    notes = _by_log(exports, held)
    judged: dict[str, ExportVerifier] = {}
    for log, export in exports.items():
        one = ExportVerifier(export, trusted=keys, held=notes[log], joins=joins, base=base, log=log)
        one.judge_log()
        judged[log], base = one, base + len(export.entries)
    for found in joins.judge():
        _owner(judged, found.index).find_join(found)
    return _together(judged, joins)


def _by_log(exports: Mapping[str, Export], held: Iterable[bytes]) -> dict[str, tuple[bytes, ...]]:
    """Notes by the log that they name; whatever is of none of them is the main log's to complain about."""
    named = {export.manifest.origin: log for log, export in exports.items()}
    found: dict[str, list[bytes]] = {log: [] for log in exports}
    for note in held:
        origin = note.partition(b"\n")[0].decode("utf-8", "replace")
        found[named.get(origin, "")].append(note)
    return {log: tuple(notes) for log, notes in found.items()}


def _owner(judged: Mapping[str, "ExportVerifier"], place: int) -> "ExportVerifier":
    return next(one for one in reversed(list(judged.values())) if one.base <= place)


def _together(judged: Mapping[str, "ExportVerifier"], joins: Joins) -> Report:
    main = judged[""]
    findings = [found for one in judged.values() for found in one.findings]
    return Report(
        origin=main.head.origin if main.head else "",
        size=main.head.size if main.head else 0,
        root=main.head.root if main.head else EMPTY_ROOT,
        records=sum(len(one.export.entries) for one in judged.values()),
        in_flight=joins.in_flight,
        open_tasks=joins.open_tasks(),
        undisclosed=sum(len(names) for one in judged.values() for names in one.digests.values()),
        findings=tuple(findings[:MAX_FINDINGS]),
        further=sum(one.further for one in judged.values()) + max(0, len(findings) - MAX_FINDINGS),
    )


def verify_export(export: Export, *, trusted: Iterable[LogKey], held: Iterable[bytes] = ()) -> Report:
    """Judge an export. `trusted` keys and `held` checkpoints (signed notes) are the auditor's own.

    Truncation and a rewrite with a stolen key show only against a checkpoint that someone else holds.
    At least 50,000 records per second on the machine of the benchmarks.
    """
    return ExportVerifier(export, trusted=tuple(trusted), held=tuple(held)).judge()


def verify_extension(
    older: bytes, newer: bytes, proof: Sequence[Hash], *, keys: Iterable[LogKey]
) -> tuple[Checkpoint, Checkpoint]:
    """Prove from two signed notes and a proof alone that one head extends the other (RFC 9162 §2.1.4.2).

    Raises `CheckpointRejected` or `TreeProofRejected`.
    """
    known = tuple(keys)
    first = verify_checkpoint(older, keys=known)
    second = verify_checkpoint(newer, keys=known, origin=first.origin)
    verify_consistency(
        first=first.size, second=second.size, proof=proof, first_root=first.root, second_root=second.root
    )
    return first, second


@dataclass(slots=True)
class ExportVerifier:
    """One run of the numbered procedure; each step is a method of its own."""

    export: Export
    trusted: tuple[LogKey, ...]
    held: tuple[bytes, ...]
    head: Checkpoint | None = None
    findings: list[Finding] = field(default_factory=list)
    further: int = 0
    digests: dict[str, dict[str, str]] = field(default_factory=dict)
    """Salted digests by record id and name of the text."""
    joins: Joins = field(default_factory=Joins)
    base: int = 0
    """Records of the logs that were judged before, where the joins are common."""
    log: str = ""

    def judge(self) -> Report:
        """Run every step; one that finds something does not spare the next."""
        self.judge_log()
        self.judge_joins()
        return self.report(len(self.export.entries))

    def judge_log(self) -> None:
        """(2-8) Everything that a log says by itself."""
        leaves = [leaf_hash(entry) for entry in self.export.entries]
        self.judge_head()
        self.judge_count(len(leaves))
        self.judge_entries(leaves)
        heads = self.trusted_heads()
        self.judge_root(leaves, heads)
        self.judge_records()
        self.judge_contents()

    def judge_head(self) -> None:
        """(2) Nothing of the head is believed before its signature."""
        manifest = self.export.manifest
        try:
            head = verify_checkpoint(self.export.note, keys=self.trusted)
        except CheckpointRejected as broken:
            self.find(2, "checkpoint_rejected", broken.hint)
            return
        self.head = head
        if (manifest.origin, manifest.size, manifest.root) != (head.origin, head.size, head.root.hex()):
            self.find(2, "manifest_contradicts", "manifest and signed checkpoint name different heads")
        if self.log and manifest.shard != self.log:
            self.find(2, "manifest_contradicts", f"folder `{self.log}` holds log `{manifest.shard}`")
        if not head.origin.endswith(f"/{manifest.shard}"):
            self.find(2, "manifest_contradicts", f"log `{head.origin}` is not shard `{manifest.shard}`")

    def judge_count(self, count: int) -> None:
        """(3) The signature says how many; the export does not."""
        if self.head is None or count == self.head.size:
            return
        if count < self.head.size:
            self.find(
                3, "truncated", f"{count} entries, the signed head vouches for {self.head.size}", index=count
            )
        else:
            self.find(
                3,
                "surplus",
                f"{count} entries, the signed head vouches for {self.head.size}",
                index=self.head.size,
            )

    def judge_entries(self, leaves: Sequence[Hash]) -> None:
        """(4) Leaf hashes say which entry was changed, moved, doubled, cut out or slipped in."""
        stored = [
            self.export.leaves[place : place + HASH_SIZE]
            for place in range(0, len(self.export.leaves), HASH_SIZE)
        ]
        if stored == list(leaves):
            return
        where: dict[Hash, int] = {}
        for index, leaf in enumerate(stored):
            where.setdefault(leaf, index)
        counts = Counter(leaves)
        for index, leaf in enumerate(leaves):
            if index < len(stored) and stored[index] == leaf:
                continue
            home = where.get(leaf)
            if home is None:
                self.find(4, "changed", f"entry {index} is not what was recorded there", index=index)
            elif counts[leaf] > 1 and home != index:
                self.find(4, "duplicated", f"entry {index} repeats entry {home}", index=index)
            else:
                self.find(4, "moved", f"entry {index} was recorded as entry {home}", index=index)
        for index, leaf in enumerate(stored):
            if leaf not in counts:
                self.find(4, "removed", f"the record of entry {index} is not in the export", index=index)

    def trusted_heads(self) -> list[tuple[Checkpoint, str]]:
        """(6) Every other signed head of this log, held by the auditor or exported."""
        heads: list[tuple[Checkpoint, str]] = []
        for notes, whose in ((self.held, "held"), (self.export.earlier, "exported")):
            for note in notes:
                try:
                    checkpoint = verify_checkpoint(note, keys=self.trusted)
                except CheckpointRejected as broken:
                    self.find(6, "checkpoint_rejected", f"a checkpoint that was {whose}: {broken.hint}")
                    continue
                if self.head is not None and checkpoint.origin != self.head.origin:
                    self.find(
                        6, "other_log", f"a checkpoint that was {whose} is of log `{checkpoint.origin}`"
                    )
                    continue
                heads.append((checkpoint, whose))
        return sorted(heads, key=lambda each: each[0].size)

    def judge_root(self, leaves: Sequence[Hash], heads: Sequence[tuple[Checkpoint, str]]) -> None:
        """(5, 6) Rebuild the tree once, and compare it with each signed head where it has that size."""
        if self.head is not None:
            heads = sorted([*heads, (self.head, "")], key=lambda each: each[0].size)
        frontier, good = Frontier(), 0
        for checkpoint, whose in heads:
            if checkpoint.size > len(leaves):
                self.judge_larger(checkpoint, whose, len(leaves))
                continue
            for low in range(frontier.size, checkpoint.size, _BLOCK):
                frontier.extend(leaves[low : min(low + _BLOCK, checkpoint.size)])
            if frontier.root() == checkpoint.root:
                good = checkpoint.size
                continue
            self.judge_other(checkpoint, whose, good)

    def judge_larger(self, checkpoint: Checkpoint, whose: str, count: int) -> None:
        """A head of more records than there are: the tail is gone."""
        if whose:
            said = f"a {whose} checkpoint has {checkpoint.size} records, here are {count}: the tail was cut"
            self.find(6, "truncated", said, index=count)

    def judge_other(self, checkpoint: Checkpoint, whose: str, good: int) -> None:
        """Another root at the same size: something before it differs."""
        span = f"something among entries {good} to {checkpoint.size - 1}"
        if not whose:
            self.find(5, "root_differs", f"{span} is not what was signed")
        elif (
            self.head is not None and checkpoint.size == self.head.size and checkpoint.root != self.head.root
        ):
            self.find(6, "forked", f"two signed roots for one size of {checkpoint.size}: the log was forked")
        else:
            self.find(
                6, "rewritten", f"{span} is not what the {whose} checkpoint of size {checkpoint.size} signed"
            )

    def judge_records(self) -> None:
        """(7) Entries are records, each once, of one tenant."""
        seen: dict[str, int] = {}
        tenant = self.export.manifest.tenant
        for index, entry in enumerate(self.export.entries):
            try:
                record = decode_record(entry)
            except MalformedEntry as broken:
                self.find(7, "malformed", f"entry {index}: {broken.hint}", index=index)
                continue
            first = seen.setdefault(record.id, index)
            if first != index:
                self.find(
                    7,
                    "repeated_id",
                    f"entries {first} and {index} have one id",
                    index=index,
                    record=record.id,
                )
            if record.tenant != tenant:
                self.find(
                    7, "foreign_tenant", f"entry {index} is of another tenant", index=index, record=record.id
                )
            for name, digest in record.digests:
                if name.startswith(CONTENT_DIGEST):
                    self.digests.setdefault(record.id, {})[name] = digest
            self.joins.add(self.base + index, record)

    def judge_contents(self) -> None:
        """(8) A text is what was recorded if, with its salt, it meets the digest in the tree."""
        for opening in self.export.openings:
            promised = self.digests.get(opening.record, {}).pop(CONTENT_DIGEST + opening.name, None)
            try:
                met = (
                    promised is not None
                    and content_digest(bytes.fromhex(opening.salt), opening.text) == promised
                )
            except ValueError:
                met = False
            if not met:
                said = f"text `{opening.name}` of record `{opening.record}` does not meet its digest"
                self.find(8, "content_differs", said, record=opening.record)

    def judge_joins(self) -> None:
        """(9) What happened is told from prompt to teardown."""
        for found in self.joins.judge():
            self.find_join(found)

    def find_join(self, found: JoinFinding) -> None:
        """Note what the joins found about an entry of this log."""
        self.find(9, found.code, found.sentence, index=found.index - self.base, record=found.record)

    def find(
        self, step: int, code: str, sentence: str, *, index: int | None = None, record: str = ""
    ) -> None:
        """Note a finding, up to the limit."""
        if len(self.findings) >= MAX_FINDINGS:
            self.further += 1
        else:
            self.findings.append(
                Finding(step=step, code=code, sentence=sentence, index=index, record=record, log=self.log)
            )

    def report(self, count: int) -> Report:
        """The findings with the head that they are about."""
        return Report(
            origin=self.head.origin if self.head else "",
            size=self.head.size if self.head else 0,
            root=self.head.root if self.head else EMPTY_ROOT,
            records=count,
            in_flight=self.joins.in_flight,
            open_tasks=self.joins.open_tasks(),
            undisclosed=sum(map(len, self.digests.values())),
            findings=tuple(self.findings),
            further=self.further,
        )
