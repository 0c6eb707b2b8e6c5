"""A small text of our own, questions with answers in English and Chinese: what a model reads while it is
quantised where nobody names better. Written for this; about everyday things, so that no subject outweighs
the others."""

from __future__ import annotations

PAIRS: tuple[tuple[str, str], ...] = (
    (
        "Why is the sky blue?",
        "Sunlight holds all colours. The air scatters short waves, which we see as blue, far more than long"
        " ones, so blue light reaches the eye from every part of the sky.",
    ),
    (
        "How do I boil an egg?",
        "Put it into boiling water with a spoon. Six minutes leave the yolk soft, ten make it firm. Then hold"
        " it under cold water, and the shell comes off easily.",
    ),
    (
        "Write a short letter that cancels a gym membership.",
        "Dear team,\n\nI would like to end my membership at the earliest date the contract allows. Please"
        " confirm in writing when it ends and that no further fees will be taken.\n\nKind regards,\nAnna",
    ),
    (
        "What is 17 times 24?",
        "17 times 24 is 408: 17 times 20 is 340, 17 times 4 is 68, and together they make 408.",
    ),
    (
        "Write a Python function that counts the vowels in a text.",
        "def vowels(text: str) -> int:\n    return sum(letter in 'aeiou' for letter in text.lower())\n\nIt"
        " goes through the letters once and counts those that are in the list.",
    ),
    (
        "Name three rivers in Europe.",
        "1. The Danube, which crosses ten countries.\n2. The Rhine, from the Alps to the North Sea.\n3. The"
        " Volga, the longest of all.",
    ),
    (
        "Explain to a child what a battery does.",
        "A battery is a small box full of push. Inside are two materials that want to swap tiny particles."
        " When you connect a lamp, the particles run through the wire, and the lamp glows.",
    ),
    (
        "My train leaves at 9:40 and the walk takes 25 minutes. When should I go?",
        "Leave at 9:05: you arrive at 9:30 and have ten minutes to find the platform.",
    ),
    (
        "Summarise: The committee met on Monday, argued for three hours about the colour of the new bridge,"
        " and decided to ask the citizens.",
        "After a long dispute on Monday, the committee left the colour of the bridge to the citizens.",
    ),
    (
        "Is a tomato a fruit or a vegetable?",
        "For a botanist it is a fruit, since it grows from a flower and holds seeds. In the kitchen it is"
        " treated as a vegetable, because it is not sweet.",
    ),
    (
        "Translate into French: Where is the nearest pharmacy?",
        "Où est la pharmacie la plus proche ?",
    ),
    (
        "Give me tips for sleeping better.",
        "Go to bed at the same hour every day, keep the room cool and dark, put the phone away an hour"
        " before, and drink no coffee after noon. If you lie awake, get up and read for a while.",
    ),
    (
        "What happened in 1969?",
        "In July 1969 two people walked on the Moon for the first time, while a third circled above. Hundreds"
        " of millions watched on television.",
    ),
    (
        "Tell a joke about computers.",
        "Why did the computer go to the doctor? It had caught a virus and kept losing its memory.",
    ),
    (
        "Compare trains and planes for a journey of 600 kilometres.",
        "| | train | plane |\n| --- | --- | --- |\n| time | four hours | one hour, and two at the airport |\n"
        "| comfort | space to walk | little space |\n| carbon | low | high |",
    ),
    (
        "How many legs do spiders have, and how many do ants have?",
        "Spiders have eight legs, ants have six.",
    ),
    (
        "What should I pack for two days in the mountains?",
        "Good boots, a rain jacket, a warm layer, a hat, water, food that keeps, a map, a lamp, a small"
        " bandage kit, and a charged phone. Tell somebody where you go.",
    ),
    (
        "Write two lines about autumn.",
        "The wind lets go of every leaf it knows,\nand evening comes on quiet, golden toes.",
    ),
    (
        "为什么海水是咸的？",
        "雨水流过岩石时会溶解少量盐分，河流把它们带进大海。水会蒸发，盐却留下来，千万年后海水就变咸了。",
    ),
    (
        "怎样煮一碗面条？",
        "先把水烧开，放入面条，用筷子拨散，煮三到五分钟。捞出后加酱油、香油和葱花，拌匀即可。",
    ),
    (
        "请写一封请假邮件。",
        "王经理：\n\n您好！我因身体不适，需要在周三请假一天，手头的工作已交给小李。如有急事请打我电话。\n\n谢谢！\n张明",
    ),
    ("三十六除以九等于多少？", "三十六除以九等于四，因为四乘以九正好是三十六。"),
    ("用一句话介绍长江。", "长江发源于青藏高原，全长约六千三百公里，是中国最长的河流，最后流入东海。"),
    (
        "给小学生解释什么是影子。",
        "光沿直线走。身体挡住了光，后面照不到的地方就变暗，那就是影子。太阳越低，影子越长。",
    ),
    (
        "怎样养好一盆绿萝？",
        "放在明亮但不直晒的地方，土干了再浇透，每月施一次薄肥，叶子脏了用湿布擦一擦，就会长得很好。",
    ),
    ("把下面的话翻译成英文：明天上午十点在图书馆见。", "See you at the library at ten tomorrow morning."),
    ("列出三种可再生能源。", "1. 太阳能\n2. 风能\n3. 水能"),
    (
        "写一个计算平均值的 Python 函数。",
        "def mean(values):\n    return sum(values) / len(values)\n\n列表为空时会出错，使用前请先检查。",
    ),
    ("周末去哪里玩比较好？", "天气好可以去郊外爬山，带上水和点心；下雨就去博物馆，安静又能学到东西。"),
    ("太阳系有几颗行星？", "太阳系有八颗行星：水星、金星、地球、火星、木星、土星、天王星和海王星。"),
    ("怎样学好一门外语？", "每天坚持一小会儿，多听多说，不怕出错；把新词放进句子里记，再找一个人一起练习。"),
    ("请把这句话改得更礼貌：把文件发给我。", "您方便的时候，能否把文件发给我？谢谢！"),
    (
        "为什么要节约用水？",
        "地球上能直接使用的淡水不到百分之一。节约用水既省钱，也让更多的人和动物有水可用。",
    ),
    ("写两句关于春天的诗。", "细雨敲窗花未醒，\n东风过处柳先青。"),
    ("感冒了应该怎么办？", "多休息，多喝温水，吃清淡的食物。如果发烧超过三天或呼吸困难，请尽快去医院。"),
    (
        "比较自行车和公共汽车上班的优缺点。",
        "自行车省钱，能锻炼身体，但怕下雨；公共汽车不怕天气，可以看书，但要等车，高峰时很挤。",
    ),
)
