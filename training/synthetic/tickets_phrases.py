"""The vocabulary of the invented support tickets; braces are slots that `tickets_text` fills."""

GREETINGS = (
    "Hi,", "Hello,", "Hi there,", "Hello team,", "Good morning,", "Good afternoon,", "Dear support team,",
    "Hey folks,", "Hi support,", "Hello everyone,",
)  # fmt: skip
SHORT_GREETINGS = ("Hello.", "Support,", "To whom it may concern:", "Hi.", "Hey,")
SMALL_TALK = (
    "Hope your week is going well.", "I hope you had a nice weekend.", "Happy Monday!",
    "Hope all is well on your side.", "It's {who} again.", "Sorry to bother you.",
    "We spoke {when}, I think.", "Long time no see!", "Quick one from me.",
)  # fmt: skip
WHO = (
    "the finance team", "our sales lead", "our new colleague", "the whole office", "my manager",
    "our operations team", "a customer of ours", "the night shift", "our IT department",
    "the marketing team", "one of our partners", "our Berlin office", "half of the team", "our auditor",
    "the CEO",
)  # fmt: skip
ROLES = ("admin", "editor", "viewer", "billing contact", "workspace owner", "guest", "team lead")
_WHEN = (
    "since this morning", "since yesterday", "since last week", "since the last update", "for {n} days",
    "since Tuesday", "every Monday", "after lunch", "since we moved to the new plan", "on and off",
    "at month end", "for about {n} minutes",
)  # fmt: skip
WHEN = tuple(phrase.replace("{n}", number) for number in ("3", "10", "20") for phrase in _WHEN)
ERROR_CODES = (
    "error 500", "error 403", "a timeout", "error 429", "'something went wrong'", "a blank page",
    "error 502", "'permission denied'", "code E-1042", "code SYNC-77", "'unexpected token'",
    "'session expired'", "error 404",
)  # fmt: skip
BROWSERS = ("Chrome", "Firefox", "Safari", "Edge", "the Android app", "the iPhone app", "an incognito window")
OTHER_SYSTEMS = (
    "our data warehouse", "our ERP", "the accounting system", "our identity provider", "our ticket tool",
    "a spreadsheet", "our web shop", "the payroll system", "our mail server",
)  # fmt: skip
DEADLINES = (
    "tomorrow",
    "Friday",
    "the end of the month",
    "our board meeting",
    "5 pm today",
    "the audit",
    "next week",
)

DETAILS = (
    "It happens in {browser}.", "We already cleared the cache.", "{who} sees the same.",
    "It worked fine before.", "A screenshot is attached.", "It affects {n} of our users.",
    "We tried {browser} as well.", "It is the same for every {role}.", "It started {when}.",
    "Nothing changed on our side.", "I can reproduce it every time.", "It comes and goes.",
    "Our workspace has {big} records.", "I asked {who} to check, with the same result.",
    "We use it together with {system}.",
)  # fmt: skip
IMPACTS = (
    "{who} can't work like this.", "We lose {n} hours a week over it.",
    "We missed a deadline because of it.", "Our customers are complaining to us.",
    "This costs us real money.", "I had to explain this to {who}, and it was embarrassing.",
    "We had to go back to spreadsheets.",
)  # fmt: skip
MILD_IMPACTS = (
    "It is not a blocker.", "We can work around it for now.", "No hurry on this one.",
    "It would save us some time.", "{who} would be happy about it.", "Just so you know.",
)  # fmt: skip
URGENCY = (
    "This is urgent, we need it by {deadline}.", "Please treat this as high priority.",
    "We need an answer before {deadline}.", "ASAP please.", "It can't wait until {deadline}.",
)  # fmt: skip
POLITE_WISHES = (
    "Could you have a look?", "Could you please point me to the right place?", "Any help is appreciated.",
    "Would you mind checking?", "Can you tell me what we should do?",
    "Please let me know if you need more details.",
)  # fmt: skip
BLUNT_WISHES = (
    "Fix it.", "What is going on?", "I expect an answer today.", "Explain this.", "Escalate this, please.",
    "When will this be solved?", "I want to talk to somebody in charge.", "Call me back.",
)  # fmt: skip
FAREWELLS = (
    "Thanks!", "Thank you.", "Best regards", "Cheers", "Kind regards", "Many thanks in advance.",
    "Have a nice day!", "All the best", "Regards",
)  # fmt: skip

MOOD_LINES: tuple[tuple[str, ...], ...] = (
    (
        "This is absolutely unacceptable.",
        "I am furious.",
        "Worst software we have ever paid for.",
        "We are done with your broken promises.",
        "Your support is useless.",
        "This is a disgrace and we want our money back.",
        "I have never seen such a terrible service.",
        "Nobody here trusts this product any more, it is a disaster.",
        "We will cancel if this garbage is not fixed.",
        "How can you ship something this awful?",
        "We feel cheated and ignored.",
        "This is the fifth horrible failure in {n} days.",
    ),
    (
        "I'm really angry about this.",
        "This is very disappointing.",
        "We are losing patience.",
        "It is a bad experience again.",
        "Honestly, this is a mess.",
        "We are unhappy and thinking about alternatives.",
        "This keeps failing and nobody seems to care.",
        "We complained about the same problem before.",
        "That is a poor show for what we pay.",
        "I am fed up with these errors.",
        "My team hates working with this now.",
        "It is getting worse with every update.",
    ),
    (
        "It is a bit frustrating.",
        "This is annoying.",
        "Not great, to be honest.",
        "We expected better.",
        "It slows us down.",
        "I'm confused by this.",
        "That is rather inconvenient.",
        "I was hoping that this had been fixed.",
        "It's the second time I ask.",
        "The answer that I got before did not help.",
        "I find this quite cumbersome.",
        "It makes our work harder than it should be.",
    ),
    (
        "This is for our records.",
        "I could not find it in the documentation.",
        "I'm asking for {who}.",
        "We noticed it {when}.",
        "It concerns our main workspace.",
        "Our account has {n} users at the moment.",
        "I looked in the settings.",
        "This came up in a meeting.",
        "It is about {feature}.",
        "I have one question.",
        "We use {browser} here.",
        "Please see the details.",
    ),
    (
        "Otherwise we are happy with it.",
        "You have been helpful before, so I'm asking again.",
        "We like {feature}.",
        "Your team is usually quick, thanks for that.",
        "The new {feature} looks nice.",
        "It works well for us in general.",
        "We're glad that we switched.",
        "I'm sure that there is an easy answer.",
        "Good work on the last update.",
        "My colleagues enjoy using it.",
        "We appreciate your patience with us.",
        "Things run smoothly apart from this.",
    ),
    (
        "We love the product!",
        "{feature} is brilliant, it saves us hours.",
        "Fantastic support last time, thank you so much!",
        "You are the best, really.",
        "We are delighted with how well it works.",
        "Great job on {feature}, the team is thrilled!",
        "I recommend you to everybody, it is excellent.",
        "This is the best tool that we have bought in years.",
        "Amazing update, everyone here is impressed!",
        "We are very happy and want to do more with it.",
        "Wonderful work, keep it up!",
        "Perfect so far, just one small thing.",
    ),
)
"""Sentences by mood: furious, angry, annoyed, neutral, friendly, delighted."""

EMOJI: tuple[tuple[str, ...], ...] = (
    ("😡", "🤬", "👎", "😠😠"),
    ("😠", "😞", "👎", "😤"),
    ("😕", "🙁", "😩", "🤨"),
    ("🤔", "📎", "👀"),
    ("🙂", "👍", "😊", "🙏"),
    ("😍", "🎉", "🚀", "💚", "👏"),
)
"""Emoji by mood."""
