"""Are pending signals delivered in order, and is the number of queued ones limited?"""

from kernel.process.signals.signals import (
    SI_KERNEL,
    SI_QUEUE,
    SI_USER,
    Pending,
    Queued,
    Sig,
    SigInfo,
    bit,
)

ALL = (1 << 64) - 1


def test_are_faults_delivered_first_and_then_the_lowest_numbers() -> None:
    pending = Pending()
    for signo in (50, Sig.TERM, 34, Sig.SEGV, Sig.HUP, 34):
        pending.add(SigInfo(signo, SI_QUEUE))
    taken = [pending.take(ALL) for _ in range(6)]
    assert [info.signo for info in taken if info] == [Sig.SEGV, Sig.HUP, Sig.TERM, 34, 34, 50]
    assert pending.take(ALL) is None
    assert pending.mask == 0


def test_do_queued_signals_of_one_number_keep_their_order() -> None:
    pending = Pending()
    for number in range(3):
        pending.add(SigInfo(40, SI_QUEUE, bytes([number])))
    assert [pending.take(bit(40)).fields[0] for _ in range(3)] == [0, 1, 2]


def test_does_a_shared_limit_hold_for_all_processes() -> None:
    queued = Queued()
    one, other = Pending(queued), Pending(queued)
    assert one.add(SigInfo(40, SI_QUEUE), 2)
    assert other.add(SigInfo(41, SI_QUEUE), 2)
    assert not one.add(SigInfo(42, SI_QUEUE), 2)
    assert one.add(SigInfo(Sig.TERM, SI_USER), 2), "a standard signal does not count"
    one.take(bit(40))
    assert one.add(SigInfo(42, SI_QUEUE), 2)
    other.drop(ALL)
    one.drop(ALL)
    assert queued.count == 0


def test_does_a_signal_of_kill_beyond_the_limit_lose_its_siginfo() -> None:
    pending = Pending()
    assert not pending.add(SigInfo(40, SI_USER, b"sender"), 0)
    assert not pending.add(SigInfo(41, SI_KERNEL), 0)
    assert pending.mask == bit(40)
    assert pending.take(ALL) == SigInfo(40, SI_USER)
    assert pending.mask == 0
