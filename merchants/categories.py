"""Stand-in until the branch lands."""


def as_member(word, mcc):
    return {"primary": word, "detailed": word} if word else None
