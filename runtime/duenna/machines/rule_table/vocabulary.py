"""The words of exchanges: what an answer is about, whoever gives it and however it is spelt.

Quota, then identity, then trade, then protocol, then data: an answer that fits two is the first.
Only code that talks to somebody is judged by them; a strategy's own "insufficient data" is not.
"""

from typing import Any, Final

import attrs

from duenna.machines.classification import Category, Severity
from duenna.machines.rules import Rule

_SPOKEN: Final = ("rest", "order", "ws_feed", "")

_BAD = (
    "invalid|wrong|incorrect|missing|expired|expire|fail*|error|not|empty|required|mismatch*|bad|unknown|denied|"
    "deleted|disabled|"
    "revoked|inactive|illegal|no|null|must|without|cannot|doesnt|isnt|rejected|unmatched|unrecogni*|need*|could|"
    "does|improper|verify"
)
_SMALL = "min|minimum|least|below|lower|smaller|less|small|low|under|insufficient|fewer"
_LARGE = "max|maximum|exceed*|above|greater|larger|large|big|high|over|more|most|upper|limit|cap"
_SIZES = (
    "notional|order|orders|size|amount|qty|quantity|value|volume|lot|cost|contract|contracts|quote|base|trade|turnover"
)


def _rules(*parts: tuple[str, Category, Severity | None, bool | None, tuple[str, ...]]) -> tuple[Rule, ...]:
    return tuple(
        Rule(name=name, origins=_SPOKEN, category=category, severity=severity, transient=transient, texts=texts)
        for name, category, severity, transient, texts in parts
    )


_FEED: Final[tuple[Any, ...]] = (
    (
        "data/feed",
        Category.DATA,
        Severity.MEDIUM,
        True,
        (
            "checksum* !order-id|signature|address",
            (
                "sequence|seq|sequenc*|update-id gap|missing|mismatch|out|skip*|expect*|invalid|broken|jump*|lost|"
                "behind|number|unexpected|wrong"
            ),
            "out-of-sync|outofsync|desync*|resync*|resynchroni*|out-of-order|unsynced|not-in-sync|lost-sync",
            "gap detect*|in|found|update*|data|book|trade* !between|timestamp|time",
            (
                "missing|missed|dropped|lost update*|messages|trades|book|snapshot|delta*|frames|data|events|candles "
                "!field|param*|parameter|fields"
            ),
            (
                "stale|frozen|outdated|too-old|old data|book|feed|stream|quote*|price*|ticker|snapshot|orderbook|"
                "market|order-book|cache !request|timestamp|nonce"
            ),
            "book|orderbook|feed|stream frozen|stale|stuck|inconsistent|corrupt*",
            (
                "no-data|no-message|no-messages|no-update|no-updates|no-ticks|no-trades|not-received|havent-received|"
                "hasnt-received received|in|since|within|for !transmission|access|permission|order"
            ),
            "crossed|inverted|negative book|spread|orderbook|bid|ask",
            "snapshot old*|missing|behind|invalid|before|mismatch|late",
        ),
    ),
    (
        "data/garbled-text",
        Category.DATA,
        Severity.MEDIUM,
        True,
        (
            (
                "decod*|decompress*|parse|parsing|unmarshal|deserializ*|deserialis* fail*|error|cannot|cant|unable|"
                "could|invalid|unexpected "
                "!request|param*|parameter|argument|your|body"
            ),
            (
                "malformed|truncated|incomplete|garbled|corrupt*|unreadable json|message|frame|payload|data|response|"
                "packet|xml|body !request|param*|parameter"
            ),
            (
                "invalid-response|bad-response|unexpected-response|empty-response|empty-reply|empty-body|"
                "invalid-frame|invalid-payload|empty-message|empty-payload "
                "!request|param*|parameter|handshake|status|key|apikey|html"
            ),
            (
                "unexpected|invalid|bad|empty response|reply|body|frame|message|payload|data-format server|exchange|"
                "received|from|format "
                "!request|param*|parameter|handshake|status|key|apikey|html"
            ),
            "not-valid|invalid|non json !request|body|your|param*|html|content-type",
        ),
    ),
    (
        "data/schema-text",
        Category.DATA,
        Severity.HIGH,
        False,
        (
            "schema !request|order",
            "unexpected|unknown message-type|event-type|field|schema response|received|from|message",
        ),
    ),
)

_QUOTA: Final[tuple[Any, ...]] = (
    (
        "rate/ban",
        Category.RATE_LIMIT,
        Severity.CRITICAL,
        True,
        (
            (
                "banned|ban|bans ip|requests|request|rate|limit|limits|weight|until|temporar*|minutes|minute|seconds|"
                "hour|hours|frequent* "
                "!country|region|jurisdiction|permanent*|kyc"
            ),
            (
                "ip blocked|block|blacklist* rate|request|requests|temporar*|too|until|abuse|frequen* !whitelist|"
                "permission"
            ),
        ),
    ),
    (
        "rate/text",
        Category.RATE_LIMIT,
        None,
        True,
        (
            (
                "too-many request*|requests|visits|connections|connection|attempts|messages|subscriptions|subscribe*|"
                "calls|times|logins|login|new|pings|"
                "streams|topics|channels|queries|queued|hits|errors|sessions|cancel* "
                "!param*|parameter|parameters|payload|open|decimals|digits|arguments|redirects"
            ),
            (
                "rate-limit*|ratelimit*|rate-exceeded|rate-limited|limit-rate|rate-limiting|rate-is-limited|"
                "rate-violation"
            ),
            (
                "rate limit|limits|exceed*|reached|high|over|violation|violated|many !funding|interest|price|"
                "error-rate|exchange-rate|fee"
            ),
            "throttl*",
            "pacing violat*|limit|exceed*|too",
            (
                "channels|subscriptions|topics|streams|sessions|connections limit|maximum|max|number|cap "
                "reached|exceed*|limit-of|full|hit|over !param*|parameter|symbol|pair|order|orders"
            ),
            (
                "frequen* too|exceed*|limit|protection|request|requests|high|access|call|calls|operation|control|"
                "often|slow"
            ),
            (
                "too-frequent|too-fast|too-often|too-quick*|slow-down|slowdown|too-much-request|excessive request|"
                "requests"
            ),
            (
                "too-frequent*|too-fast|too-often|too-quick*|slow-down|slowdown|too-much-request|too-much-requests|"
                "request-too-many"
            ),
            "quota exceed*|exhausted|reached|limit|over|used|insufficient|left",
            "weight exceed*|used|limit|much request*|requests|ip|api|minute|limit",
            (
                "request|requests|call|calls|visit|visits|msg|query|queries|subscription*|subscribe*|subscribed|"
                "channel|channels|topics|connections|"
                "connection|streams|sessions|logins|ip|api|concurren*|endpoint|bandwidth exceed*|reached|over|hit|"
                "many limit|limits|maximum|max|cap|allowed|count|number|"
                "allowance|rate|quota "
                "!amount|price|position|qty|quantity|leverage|entity|size|notional|risk|parameter|parameters|header|"
                "margin|symbols|order|open|balance|"
                "ids|length|body|window|characters|range|days|days|interval|value|redirects|timeout|time"
            ),
            "flood|ddos|cool-down|cooldown|lockout|backoff|back-off",
            "slow consumer|reader|client|subscriber",
            "concurren* request*|requests|connections limit|exceed*|many|max*",
            "daily|hourly|minute request|requests|api|call|calls|count|quota exceed*|reached|limit",
            "order|orders rate|frequency|per-second|per-10 limit|exceed*|high|too|max*",
            "resource-exhausted|resources-exhausted",
            (
                "too-many-orders|too-many-trades|too-many-different|too-many-operations|too-many-api !payload|open|"
                "batch|per-request|one-request"
            ),
            (
                "request-limit|requests-limit|request-limits|rpm-limit|tps-limit|qps|visit-limit|access-limit|"
                "access-limited|limit-access|speed-limit|api-limit"
            ),
            (
                "request|requests|orders|times|calls more|than|only|max within|per|in seconds|second|minute|minutes|"
                "1s|10s|60s !timestamp|old|window|ahead|behind|expire*|order-size"
            ),
        ),
    ),
)

_IDENTITY: Final[tuple[Any, ...]] = (
    (
        "auth/clock",
        Category.AUTH,
        Severity.MEDIUM,
        True,
        (
            "nonce|nonces|account-sequence !order-nonce",
            (
                "timestamp|timestamps|recvwindow|clock|server-time|system-time|request-time|time-window|"
                "receive-window|time-stamp|recv-window|api-timestamp|req-time|reqtime "
                "invalid|expired|outside|ahead|behind|old|not|wrong|small|large|low|high|greater|used|error|must|gap|"
                "exceed*|skew*|drift*|sync*|future|"
                "past|incorrect|early|late|differ*|window|too|missing|check|out|within "
                "!start|end|starttime|endtime|from|since|candle|kline|bar|history|range-of"
            ),
            (
                "request|signature|message|header expired|expire|stale|old|replay*|reused|already-used|recently-used "
                "!order|token|key|apikey|session|listen|contract|option|quote|api-key|jwt"
            ),
            "clock|time skew*|drift*|synchroni*|unsynchroni*|out-of-sync|not-in-sync|ahead|behind",
            "expires|expiry|expire past|future|far|timestamp|too-soon|header !order|contract|option|gtd|gtt|key",
        ),
    ),
    (
        "auth/listen-key",
        Category.AUTH,
        Severity.MEDIUM,
        False,
        (
            (
                "listen-key|listenkey|listentoken|listen-token|userdatastream key|token|expired|invalid|exist|"
                "refresh|not|format|does|no|unknown|missing"
            ),
        ),
    ),
    (
        "auth/locked",
        Category.AUTH,
        Severity.CRITICAL,
        False,
        (
            (
                "account|accounts|user|subaccount|wallet|address|customer|profile|trader|uid|member|client "
                "suspend*|frozen|freeze|locked|blocked|banned|ban|disabled|deactivated|terminated|closed-only|"
                "blacklist*|restricted-mode|compromised|seized|close-only "
                "!ip|key|apikey|country|region|balance|funds|asset|market|symbol|contract|pair|feature|fund|position|"
                "liquidat*|order-is|coin|token|currency|temporarily|waiting|mutex|thread"
            ),
            "locked-by-admin|lock-by-admin|blocked-by-admin|trading-locked|closed-only|account-locked|trade-lock*",
            (
                "trading|order|orders|trade|placement blocked|banned|locked|prohibited platform|account|user|admin|"
                "you|your !market|symbol|pair|region|country|"
                "temporarily|price|limit"
            ),
            "risk-control|riskcontrol account|triggered|user|restrict*",
        ),
    ),
    (
        "auth/place",
        Category.AUTH,
        Severity.HIGH,
        False,
        (
            (
                "country|region|location|jurisdiction|jurisdictions|territory|geo|geolocation|geoblock*|nationality|"
                "residence "
                "restrict*|banned|block*|not|unavailable|unsupported|forbidden|prohibited|denied|sanction*|"
                "ineligible|eligible|unable !invalid|order|account-state|position|connection"
            ),
            "compliance|sanction*|ofac|legal-reasons|regulat* !rule-based",
            (
                "ip|ips whitelist*|allowlist*|white|allow|allowed|restrict*|forbidden|illegal|mismatch*|bound|bind|"
                "binding|unbound|trusted|denied|invalid|unmatched|match|list|block*|"
                "not-in|unauthorized|access|permitted !rate|requests|banned"
            ),
            "whitelist|white-list non|not",
            "ip-address|ip-whitelist|source-ip|ip-forbidden|ip-not|not-whitelisted|not-allowlisted",
            (
                "waf|cloudflare|cloudfront|captcha|attention-required|access-denied|bot-detected|akamai|incapsula|"
                "challenge-required"
            ),
        ),
    ),
    (
        "auth/key",
        Category.AUTH,
        Severity.HIGH,
        False,
        (
            (
                "apikey|accesskey|passphrase|hmac|jwt|bearer|credential*|signature|sign|signing|signer|apisign|"
                f"privatekey|access-key {_BAD} "
                "!design|tick|order-sign|significant"
            ),
            (
                f"api|access|public|private|secret|partner key|keys {_BAD}|format|owner|create|permission*|trade|"
                "unable|withdraw"
            ),
            f"api|access secret|token|passphrase|sign|signature {_BAD}",
            "access-timestamp|access-sign|access-passphrase|access-signature required|empty|missing|invalid|null|blank",
            "rejected|revoked key|keys !order|@plain",
            "apikey|api-key|api-keys provide|valid|rejected|revoked|disabled|expired|deleted",
            (
                f"otp|totp|tfa|mfa|2fa|authenticator|captcha|two-factor|2-fa|google-auth|security-code {_BAD}|code|"
                "enable*|bind"
            ),
            f"password|login|logged|log-in|logon|username|user-name {_BAD}|expired|first|please|again",
            "session-expired|invalid-session|session-invalid|session-is-invalid|session-not-found",
            (
                "unauthori*|unauthenticated|not-authenticated|notauthenticated|no-authority|no-auth|authentication|"
                "authenticate|authorization|authoriz*|"
                "not-authori* "
                "fail*|error|required|invalid|missing|denied|not|no|unauthori*|unauthenticated|needed|please|header|"
                "action|access|request|expired|client|"
                "must|unable|cannot|user|you|account|token|bad|wrong"
            ),
            (
                "unauthorized|unauthorised|unauthenticated|notauthorized|autherror|authfailed|auth-error|auth-fail*|"
                "auth-required|authorization-required|"
                "authentication-error|authentication-fail*|authentication-required|invalid-auth|not-authorized|"
                "not-logged|login-required|need-login"
            ),
            "forbidden !market|halted|auction|symbol|pair|margin|leverage",
            (
                "access-token|session-token|auth-token|refresh-token|id-token|bearer-token|oauth|token-expired|"
                "invalid-token|token-invalid|improper-token|"
                "token-is-invalid|token-was|"
                "revoked-token|expired-token|token-revoked|token-has|bot-token|api-token "
                "!token-id|token-invalid-id|address"
            ),
            (
                "invalid|wrong|unknown|bad|incorrect|expired key|keys !value|duplicate|json|clientid|dict|object|"
                "order|parameter|param*|@plain"
            ),
            "invalid|unknown|incorrect|missing api|l1|l2 headers|header|credentials",
            (
                "verification-fail*|verify-fail*|signature-mismatch|invalid-sign*|sign-error|error-sign|sign-invalid|"
                "invalid-ecdsa|recover-signer !param*|order"
            ),
        ),
    ),
    (
        "auth/permission",
        Category.AUTH,
        Severity.HIGH,
        False,
        (
            (
                "permission* denied|no|not|insufficient|lack|without|incorrect|invalid|missing|required|need*|check|"
                "fail*|"
                "for|restricted|enable*|error|unauthori*|access|don*|dont|"
                "does|has|have|rights"
            ),
            (
                "not-permitted|not-allowed account|user|apikey|key|you|address|subaccount|ip|access|trade|permission|"
                "wallet|action !price|reduce|post|market-order|order-type|"
                "side|leverage|symbol-is-not-allowed|mode|immediately"
            ),
            (
                "privilege*|scope|scopes|role|entitle* insufficient|not|no|lack|missing|invalid|required|need*|"
                "denied|without !@plain"
            ),
            (
                "access|restricted|restrict account|trading|feature|features|limited|denied|no|user|function|from "
                "!ip-rate|rate|price|order-price|pair|symbol|contract|instrument"
            ),
            (
                "kyc|identity|real-name|verification|certification|questionnaire|agreement complete|required|need*|"
                "please|level|not|must|sign|verify|unverified|pass|first"
            ),
            (
                "account|user|subaccount|sub-account|member|wallet|trader|uid|customer not-found|not-exist*|"
                "does-not-exist|doesnt-exist|not-enabled|not-activated|not-opened|inactive|unknown|"
                "no-such|invalid|not-active|not-registered|not-open|unverified|abnormal|enable|havent|not-yet|"
                "dont-have|not-eligible "
                "!order-not|balance|insufficient|type|symbol|position|product|leverage|mode|funds|amount|"
                "sub-account-type|margin-mode|history|page|settings|health|bank|@plain"
            ),
            (
                "havent|have-not|not-yet enabled|activated|opened|open|signed|agreed margin|futures|trading|account|"
                "api|option*|feature|service"
            ),
            (
                "not-whitelisted|blacklist*|not-eligible|ineligible|must-be-the-address|must-be-the-owner|"
                "api-not-enabled|api-disabled"
            ),
            "api not-enabled|disabled|not-allowed|not-activated|restricted",
            (
                "data|quotes|feed|news|level-2 not-subscribed|requires-subscription|subscription-required|"
                "no-subscription|not-entitled|subscription-plan !channel|topic|stream"
            ),
            "unified invalid|wrong account|user",
            "read-only !file|filesystem|file-system|database|transaction|mode|replica|disk|field|param*",
            "perm|perms insufficient|no|not|missing|denied",
            (
                "withdraw*|transfer*|deposit* not-allowed|prohibited|disabled|blocked|not-permitted|forbidden|"
                "suspended-for-user|no-permission !amount|min|max|address|order"
            ),
            (
                "personal-details|agreement-required|sign-agreement|enable-futures|enable-margin|not-verified|"
                "unverified|verify-your|only-available-to !insufficient|not-enough"
            ),
            "owner|signer api|key|account|address has|must|not|mismatch|is !owner-of-the-order|owner-of-order",
            "blocked-by|was-blocked user|you|admin",
        ),
    ),
)

_TRADE: Final[tuple[Any, ...]] = (
    (
        "exchange/liquidation",
        Category.EXCHANGE,
        Severity.CRITICAL,
        False,
        (
            (
                "liquidating|liquidated|in-liquidation|ongoing-liquidation|undergoing-liquidation|under-liquidation|"
                "liquidation-in-progress|liquidation-process|in-liq|"
                "liquidation-mode|liquidation-ongoing|in-bankruptcy|be-liquidated|is-liquidated !price|frequent|"
                "would|may|could|lead|not-liquidated|subaccount-has|other-user|possible"
            ),
            "bankrupt*|margin-call|deleverag*|takeover|taken-over",
        ),
    ),
    (
        "exchange/funds",
        Category.EXCHANGE,
        Severity.MEDIUM,
        False,
        (
            (
                "insufficient*|insuff|inadequate|shortage "
                "!permission*|privilege*|scope|data|output|param*|resource|resources|liquidity|depth|volume|role|"
                "length|access|precision|time|size|history|"
                "candles|rights"
            ),
            (
                "not-enough|lack|exceed*|without|short|no-enough|lacks|unavailable|deficit|low|shortfall|enough "
                "balance*|fund*|margin|equity|collateral*|power|asset*|allowance|wallet|available|credit|gas|ab|cash|"
                "coin|coins|money|currency "
                "!margin-mode|range|maximum-margin|price|permission"
            ),
            (
                "below|under|less margin|collateral*|equity required|requirement*|initial|maintenance|"
                "collateral*|needed !minimum|min|size|mode"
            ),
            (
                "balance|available|margin|fund|funds|wallet zero|0|empty|negative|not-enough|exceed*|"
                "exhausted|low|lower|lock*|used !page|range"
            ),
            (
                "exceed*|greater|more|larger|over available|balance|balances|funds|margin|buying-power|allowance|"
                "cash !limit-price|order-price|price|leverage"
            ),
            (
                "oversold|overdraw*|no-money|overdraft|overspend*|margin-below|no-balance|nofunds|no-funds|negative-balance|"
                "buying-power|cant-afford|cannot-afford"
            ),
            "you-need|have-only available|balance",
            "position|holding|holdings not-enough|insufficient|exceed* close|closable|available|sell|reduce|quantity",
        ),
    ),
    (
        "exchange/maintenance",
        Category.EXCHANGE,
        Severity.HIGH,
        True,
        (
            "maintenance|maintain|maintaining|maintained !margin|ratio|equity|requirement|collateral",
            (
                "upgrad* system|engine|matching|trading|exchange|service|scheduled|platform|progress|server "
                "!reconnect|vip|account|connection|websocket|please-upgrade"
            ),
            (
                "cancel-only|cancelonly|post-only-mode|limit-only|settlement-in-progress|settling|in-settlement|"
                "reduce-only-mode|read-only-mode"
            ),
            "post-only|cancel-only|close-only mode|market|exchange|only-mode !order|address",
            (
                "trading|trade|exchange|orders|matching|order|placement|service|system disabled|suspend*|paused|"
                "stopped|unavailable|not-available|closed|halt*|frozen|abnormal "
                "temporar*|currently|resume|updates|later|until|maintenance|moment|momentarily|now|again !symbol|"
                "market|pair|contract|instrument|overload*|busy"
            ),
            (
                "feature|function|endpoint|trading temporar* unavailable|disabled|suspend*|closed|not-available|"
                "offline|down"
            ),
            "service no-longer available|provided",
            "engine upgrad*|restart*|down|offline|starting|recover*",
            "system|platform abnormal|emergency|upgrading",
            "exchange|venue|platform offline|down|closed|halted|suspended|maintenance",
        ),
    ),
    (
        "exchange/order-kind",
        Category.EXCHANGE,
        Severity.LOW,
        False,
        (
            (
                "post-only|postonly|fill-or-kill|fok|fak|ioc|gtx|poc|maker-only|self-trade|selftrade|stp|self-match*|"
                "wash-trade|self-trading"
            ),
            (
                "reduce-only|reduceonly reject*|rule|satisfied|position|order|invalid|fail*|cannot|not|increase|"
                "exceed*|no !mode"
            ),
        ),
    ),
    (
        "exchange/market-closed",
        Category.EXCHANGE,
        Severity.HIGH,
        False,
        (
            (
                "market|markets|symbol|pair|contract|trading|instrument|product|session|currency|exchange|coin|asset|"
                "option|futures|stock|security|perpetual|trade|token "
                "closed|halt*|suspend*|delist*|paused|offline|inactive|frozen|expired|settled|delivered|delivery|"
                "delivering|removed|break|disabled|resolved|prelaunch|"
                "preopen|not-open|not-active|not-trading|not-tradable|not-tradeable|untradable|not-started|"
                "not-listed|unlisted|stopped|not-available|pre-open|auction|ended|"
                "not-online|not-live|launching|not-open-for "
                "!order-is|order-already|position|account|connection|key|apikey|token-expired|user|socket|order-has|"
                "websocket|stream|client|session-is|session-closed|order-closed"
            ),
            (
                "delist*|outside-trading|outside-market|trading-hours|market-hours|circuit-breaker|circuit-broken|"
                "non-trading|after-hours|extended-hours|holiday"
            ),
            "no-orders|empty|no-liquidity book|orderbook|order-book !found|match|canceled|cancelled|cancel",
            (
                "reduce-only|close-only|closing-only|only-close allowed|can|contract|symbol|market|pair "
                "!order-rejected|reject*|position|rule|satisfied"
            ),
        ),
    ),
    (
        "exchange/busy",
        Category.EXCHANGE,
        Severity.MEDIUM,
        True,
        (
            "busy|overload*|overcrowded|congest*|heavy-load|high-load|capacity !deposit",
            (
                "service|services|engine|exchange|matching|trading|gateway|system|market|order|orders unavailable|"
                "not-ready|unstable|not-yet-ready|is-not-available|not-available|unresponsive|"
                "starting|not-responding|starting-up !html|nginx|doctype|symbol|permission|region|country|"
                "temporarily-unavailable"
            ),
            (
                "order|request|operation|cancel*|modif*|amend*|previous|transaction|position in-flight|inflight|"
                "pending|in-progress|being-processed|processing|under|being|inprogress|"
                "not-pending|locked|is-cancelling|canceling "
                "!error|unknown|not-found|trigger|stop|max|limit|exceed*|too|many|not-in|already-completed|"
                "open-orders|exist|duplicate|not-exist|exists"
            ),
            "engine|matching busy|retry|timeout|queue|full|down|later|not-ready",
        ),
    ),
    (
        "exchange/refused",
        Category.EXCHANGE,
        Severity.LOW,
        False,
        (
            "immediately match*|trigger*|fill*|fillable|execut*|take|cancel*|liquidat*",
            "would|will immediately|cross|match|trigger|execute|liquidate|self|take|fill|increase|flip|reverse|put",
            "cross|crosses|crossing|crossed book|orderbook|market|spread|bid|ask",
            (
                "order|orders|clientoid|clordid|cloid|clientorderid|algo|trade|oco|client-order-id|stop-order|"
                "origclientorderid "
                "not-found|not-exist*|notexist|does-not-exist|doesnt-exist|notfound|unknown|no-such|already|"
                "duplicat*|too-late|finished|never|archived|expired|terminal|reject*|cancelled|"
                "canceled|completed|filled|closed|overlap|repeat*|exists|exist|not-modif*|inexistent|is-not|"
                "could-not|couldnt|not-cancel*|killed|was-not|not-open|not-active|uncancel*|cannot-be|cant-be|"
                "unmodif*|done|missing|"
                "not-owner|not-belong "
                "!param*|parameter|parameters|type|payload|id-is-not-valid|format|endpoint|json|rate"
            ),
            "duplicat* order|clientoid|cloid|client|id|oid|transaction|nonce",
            (
                "position|positions not-found|not-exist*|does-not-exist|doesnt-exist|no-such|already-closed|closed|"
                "none|not-open|is-not|zero|exists|no|mode|side|idx|both"
            ),
            "no-open|no-such|no-matching position|positions|order|orders",
            (
                "no-need|not-modified|not-changed|no-change|unchanged|already-set|same-as|not-been-modified|"
                "nothing-to-change"
            ),
            (
                "order|orders unsupported|not-supported|rejected|reject|combination|would|couldnt|violat*|disallowed|"
                "prohibited|refused|could-not|cant|cannot|failed|not-allowed|must"
            ),
            (
                "underpriced|execution-reverted|reverted|slippage|output-amount|price-impact|already-known|"
                "gas-too-low|intrinsic-gas|insufficient-liquidity|not-enough-liquidity|"
                "insufficient-depth|no-liquidity|max-fee|gas-price|exceeds-block"
            ),
            "expiration|expiry|gtd invalid|order|must|too",
            "rounding|round|worst-price|worst|discrepancy|slippage|overlap price|issues|trade|amount|tolerance",
            "sell-only|buy-only|short-sell*|shorting|short-sale|pattern-day|pdt|day-trad*|locate|borrow* !rate",
        ),
    ),
)

_PROTOCOL: Final[tuple[Any, ...]] = (
    (
        "api/parameter",
        Category.API,
        Severity.LOW,
        False,
        (
            "mandatory|param*|params|argument|arguments|args",
            (
                "json|payload|body|content-type|contenttype|header|headers|query-string|querystring|request-body "
                "!received|feed|frame|balance"
            ),
            (
                "characters|character|malformed|timeinforce|time-in-force|ordertype|order-type|side|interval|"
                "granularity|resolution|cursor|enum "
                "invalid|illegal|unknown|unsupported|wrong|missing|required|must|not-valid|bad|incorrect|empty|found"
            ),
            (
                "invalid|illegal|unknown|unsupported|missing|bad|wrong|nonexistent|unrecogni*|incorrect|no-such "
                "symbol|symbols|pair|pairs|instrument|instruments|product|ticker|currency|"
                "currencies|assetpair|coin|topic|channel|subscription|stream|op|operation|orderid|token-id|tokenid|"
                "network|chain|asset|market|instid|id|instrumentid|granularity|timeframe|"
                "contract|endpoint|path|url|route|method|version|event|category|format|date|type|input|field|fields|"
                "query|request "
                "!order-size|price|qty|quantity|amount|signature|key|order-type-not|error-occurred|error-occured|"
                "unknown-error|unexpected-error|internal|system-error"
            ),
            (
                "symbol|symbols|pair|instrument|product|ticker|contract|topic|channel|endpoint|handler|market|route|"
                "path|method|url|resource|page|currency|asset|coin|stream|token "
                "not-found|not-exist*|does-not-exist|doesnt-exist|unknown|not-support|not-recogni*|notfound|"
                "not-valid|is-invalid|isnt-valid|no-such|not-listed|has-been-removed|"
                "inexistent|invalid|not-allowed|not-defined "
                "!order-not|price|supported-yet"
            ),
            (
                "not-supported symbol|symbols|pairs|instruments|currency|coin|timeframe|interval "
                "!order|margin|operation|mode|this-url|isolated|cross|leverage"
            ),
            (
                "required|missing|cannot-be-empty|can-not-be-empty|cannot-be-null|must-not-be|may-not-be|is-empty|"
                "is-null|mustnt|not-be-null|not-be-blank|was-not-sent|"
                "was-empty|not-present|must-be-provided|must-be-specified|must-provide|must-specify|not-specified|"
                "not-provided "
                "!permission*|margin|balance|fund|funds|collateral|login|auth*|key|minimum|amount"
            ),
            (
                "start|starttime|since|from end|endtime|until|to before|after|greater|less|later|earlier|must|"
                "invalid|range|large|exceed* !order-price"
            ),
            "lookup|time|date|query range|interval|window|span|period big|large|long|exceed*|invalid|wide|limit",
            "repeat*|duplicate request|subscription|subscribe*|stream|topic|channel",
            "already subscribed|active|subscription|registered|connected !order",
            (
                "bad-request|badrequest|invalid-request|invalidrequest|illegal-request|request-invalid|"
                "invalid-argument*|validation-fail*|validation-error*|invalid-input|unprocessable|invalid-data"
            ),
            (
                "too-many|too-large|too-long|maximum|max|exceed* orders-in|in-payload|per-request|batch|list|ids|"
                "symbols|entity|body|length|characters|items|elements"
            ),
            (
                "method-not-allowed|request-method|http-method|unknown-method|no-route|404-not-found|page-not-found|"
                "not-acceptable|unsupported-media"
            ),
            (
                "invalid|unknown|bad|illegal|unexpected enum|value|values|string|number|integer|boolean|type|format|"
                "uuid|hex|address|checksum|date|time|timestamp !price|order|quantity|qty"
            ),
            (
                "must-be|should-be|has-to-be one|integer|string|positive|number|between|valid|boolean|numeric|array|"
                "list|uppercase|lowercase|specified "
                "!price|qty|quantity|amount|size|leverage|order|notional|volume"
            ),
            "not-in-the-given|unknown-field|unexpected-field|unrecognized-field|extra-field|unknown-fields",
        ),
    ),
    (
        "exchange/filters",
        Category.EXCHANGE,
        Severity.LOW,
        False,
        (
            f"{_SMALL} {_SIZES} !balance|margin-call",
            (
                f"{_LARGE} {_SIZES}|price|position|positions|leverage|risk|exposure|interest|open|borrow|holding "
                "!request|requests|message|rate|connections|subscription*"
            ),
            (
                "tick|ticksize|step|stepsize|lot|increment|increments|precision|decimal|decimals|multiple|multiples|"
                "divisible|rounding|digits|granular* "
                "price|size|qty|quantity|amount|order|invalid|rule|lot|step|tick|over|too|places|maximum|incorrect|"
                "wrong|must|not|value|asset|of"
            ),
            (
                "price out|outside|deviat*|band|bands|range|bounds|limit|limits|protect*|far|away|collar|not-allowed|"
                "worst|too|lower|higher|above|below|cap|invalid|wrong|"
                "bad|must|better|reasonable|not|error|incorrect|zero|negative|than|ratio|cannot|null|empty|percent"
            ),
            (
                "qty|quantity|amount|size|volume|orderqty|lots|notional|funds invalid|wrong|bad|must|not|error|"
                "incorrect|zero|negative|illegal|incorrect|cannot|null|empty|out|too|"
                "required|less|outside|exceed*|step|mismatch|range"
            ),
            (
                "leverage|position-mode|positionmode|position-side|positionside|margin-mode|marginmode|margin-type|"
                "hedge-mode|hedge|one-way|oneway|risk-limit|tier|open-interest|"
                "max-position|position-limit|open-orders|cross|isolated|openinterest|isolated-margin|position-idx|"
                "multi-assets !book|error-rate|cross-origin"
            ),
            (
                "stop|trigger|takeprofit|stoploss|tp|sl|trailing|callback price|order|rate|invalid|must|immediately|"
                "above|below|wrong|activation"
            ),
            "open|active|pending|stop|conditional|algo orders|order max*|limit|exceed*|reached|many",
            (
                "order|trade rejected|reject|refused|rejection|declined|denied|invalid|error|fail*|failed|illegal "
                "!json|payload|param*|parameter|id|unknown|system|server|internal|retry"
            ),
            "side|direction|position mismatch|conflict|does-not-match|opposite|match|wrong|opposing|setting",
        ),
    ),
    (
        "api/not-supported",
        Category.API,
        Severity.MEDIUM,
        False,
        (
            (
                "not-supported|does-not-support|doesnt-support|not-implemented|notimplemented|deprecat*|discontinued|"
                "obsolete|no-longer-supported|not-support|unsupported|"
                "not-yet-supported|sunset|retired|decommission*|isnt-supported|unimplemented|is-not-available|"
                "not-offered"
            ),
            "migrate|migrated|moved permanently|v2|v3|v4|v5|new|please|endpoint|api",
            "no-longer available|active|exists|valid|provided|maintained",
            "redirect* too|many|exceeded|maximum|loop",
        ),
    ),
    (
        "exchange/try-again",
        Category.EXCHANGE,
        Severity.MEDIUM,
        True,
        (
            (
                "try-again|retry|try-later|later|system-error|system-busy|server-error|internal-error|internal|"
                "unknown-error|unexpected-error|service-error|return-an-error|network-error"
            ),
        ),
    ),
    (
        "api/failed",
        Category.API,
        Severity.MEDIUM,
        True,
        (
            "internal error|server|exception|problem|failure",
            (
                "internal-server|server-error|servererror|system-error|systemerror|sys-error|unknown-error|unexpected-error|"
                "bad-gateway|gateway-timeout|gateway-time|"
                "service-unavailable|service-temporarily|backend-error|unknown-exception|unhandled-exception|"
                "upstream|origin-error|web-server|"
                "unexpected-exception|something-went-wrong|went-wrong|"
                "unable-to-process|processing-error"
            ),
            "error-occurred|an-error-occurred !calling",  # botocore begins so whatever it is
            "api unavailable|offline|down|temporarily|unhealthy",
            (
                "server|service|backend|endpoint|website unavailable|offline|down|error|problem|exception|"
                "temporarily|failure|unhealthy !reconnect|restart|connect|connecting|connection|lost|socket"
            ),
            "unavailable|offline|try-again|retry|please-retry|try-later|later",
            "html|doctype|nginx bad|gateway|unavailable|timeout|error|502|503|504|520|521|522|523|524|500",
        ),
    ),
    (
        "api/page-text",
        Category.API,
        Severity.MEDIUM,
        False,
        ("html|doctype !socket",),
    ),
)


_ORIGINS: Final = {
    "data/feed": ("rest", "ws_feed", ""),  # an order that crosses the book is no crossed book
    "exchange/try-again": ("order",),  # it is the trading engine that says so only there
}


def _with_origins(rule: Rule) -> Rule:
    return attrs.evolve(rule, origins=_ORIGINS.get(rule.name, rule.origins))


_UNAUTHORIZED = Rule(
    name="status/unauthorized",
    statuses=(401,),
    origins=_SPOKEN,
    category=Category.AUTH,
    severity=Severity.HIGH,
    transient=False,
)
_PLAIN = (*_rules(*_FEED, *_QUOTA, *_IDENTITY), _UNAUTHORIZED, *_rules(*_TRADE, *_PROTOCOL))

RULES: Final = tuple(_with_origins(rule) for rule in _PLAIN)
