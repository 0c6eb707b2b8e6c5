"""Error template -> Chinese, by the module that raises it, with the same placeholders (``ui.chinese``)."""

from __future__ import annotations

PICTURES = {
    "{name} is cut short or damaged, and cannot be shown": "{name} 不完整或已损坏，无法显示",
    "Save the picture again, or try another one.": "请重新保存这张图片，或换一张。",
    "There is no file {name}": "没有文件 {name}",
    "Check the path.": "请检查路径。",
    "{name} is empty": "{name} 是空文件",
    "Upload a picture file: {formats}.": "请上传图片文件：{formats}。",
    "{name} has {width} x {height} pixels; a side may have {limit} at most": (
        "{name} 有 {width} x {height} 像素，每边最多 {limit}"
    ),
    "There is no file {name} in {folder}": "{folder} 中没有文件 {name}",
    "{name} has {size_mb:.1f} MB, more than the {limit_mb:g} MB a picture may have": (
        "{name} 有 {size_mb:.1f} MB，超过图片上限 {limit_mb:g} MB"
    ),
    "Make the picture smaller, or save it as JPEG.": "请缩小图片，或存为 JPEG。",
    "{name} is not a file that can be read": "{name} 不是可以读取的文件",
    "Give the picture file itself.": "请给出图片文件本身。",
    "{name} has too many pixels to be opened safely": "{name} 像素过多，无法安全打开",
    "Make the picture smaller.": "请缩小图片。",
    "{name} is not a picture that can be read": "{name} 不是可以识别的图片",
    "{name} has {width} x {height} pixels, more than the {limit_mp:g} million a picture may have": (
        "{name} 有 {width} x {height} 像素，超过图片上限 {limit_mp:g} 百万像素"
    ),
}

FOLDERS = {
    "{path} begins with the home folder, and this user has none": "{path} 以主目录开头，而当前用户没有主目录",
    "Write the whole path, or say where home is: export HOME=/path": (
        "请写完整路径，或指明主目录：export HOME=/path"
    ),
    "{path}: there is no user {user}": "{path}：没有用户 {user}",
    "Write the whole path; a file whose own name begins so is ./{path}": (
        "请写完整路径；如果文件名本身就这样开头，请写 ./{path}"
    ),
}

CHECKPOINTS = {
    "huggingface_hub refuses a variable of this environment that begins with HF_": (
        "huggingface_hub 不接受环境中某个以 HF_ 开头的变量"
    ),
    "Look at them with: env | grep ^HF_": "请用 env | grep ^HF_ 查看。",
    "{folder} holds no weights (*.safetensors or pytorch_model*.bin)": (
        "{folder} 中没有权重（*.safetensors 或 pytorch_model*.bin）"
    ),
    "Download the model again; files that are whole are not fetched twice.": (
        "请重新下载模型；已完整的文件不会重复下载。"
    ),
    "There is no folder {folder}": "没有文件夹 {folder}",
    "Check the preset's sources.": "请检查预设中的 sources。",
    "{folder} holds no tokenizer ({names})": "{folder} 中没有分词器（{names}）",
    '{file} is no model\'s config: "architectures" is missing': "{file} 不是模型的配置：缺少 “architectures”",
    "The download in {folder} is incomplete: {name} is missing": "{folder} 中的下载不完整：缺少 {name}",
    "{file} is empty: the download was cut off": "{file} 是空文件：下载被中断了",
    '{file} is broken: "weight_map" is missing': "{file} 已损坏：缺少 “weight_map”",
    "{file} in {folder} lacks {tensor}, which the index says it holds": (
        "{folder} 中的 {file} 缺少 {tensor}，而索引说它应在其中"
    ),
    "{file} holds numbers of a type that is not known: {dtype}": "{file} 中有未知的数据类型：{dtype}",
    "{file} does not hold a JSON object of at most {limit} bytes": (
        "{file} 不是不超过 {limit} 字节的 JSON 对象"
    ),
    "{file} has {size} bytes; no tokenizer has more than {limit}": (
        "{file} 有 {size} 字节；任何分词器都不超过 {limit} 字节"
    ),
    "{file} has {size} bytes; no chat template has more than {limit}": (
        "{file} 有 {size} 字节；任何对话模板都不超过 {limit} 字节"
    ),
    "{folder}: the tokenizer's chat template cannot be used: {reason}": (
        "{folder}：分词器自带的对话模板无法使用：{reason}"
    ),
    "Take the model's chat or instruct version, or download its tokenizer again.": (
        "请改用该模型的对话（chat 或 instruct）版本，或重新下载其分词器。"
    ),
    "The model's chat template refuses this conversation: {reason}": (
        "该模型的对话模板不接受这段对话：{reason}"
    ),
    "Clear the conversation and the system prompt, and ask again.": (
        "请清空对话和系统提示词，然后重新提问。"
    ),
    "{file} holds lists or objects in one another, more than {limit} deep": (
        "{file} 中的列表或对象嵌套超过 {limit} 层"
    ),
    "{file}: num_hidden_layers of the {part} model is {layers}; the weights hold {held} layers": (
        "{file}：{part} 模型的 num_hidden_layers 为 {layers}，而权重只有 {held} 层"
    ),
    "{file} is a Git LFS pointer, not the file itself": "{file} 只是 Git LFS 指针，不是文件本身",
    "Type: git lfs pull": "请运行：git lfs pull",
    "{file} is broken: {name} is not the name of a file beside it": (
        "{file} 已损坏：{name} 不是同一文件夹中的文件名"
    ),
    "{file} is broken or cut short: {reason}": "{file} 已损坏或不完整：{reason}",
    "{folder} holds no {name}": "{folder} 中没有 {name}",
    "A path that was given is empty": "给出的路径是空的",
    "Is a variable of the shell unset? Write the path, or leave the option out.": (
        "是不是 shell 变量没有设置？请写出路径，或去掉该选项。"
    ),
    "No preset can name the folder {folder!r}": "预设中无法写出文件夹 {folder!r}",
    "Give it a name without line breaks and other control characters.": "请给它换一个不含换行和其他控制字符的名字。",
    "{file} cannot be read: {reason}": "无法读取 {file}：{reason}",
    "{folder} cannot be read: {reason}": "无法读取 {folder}：{reason}",
    "May this user read it? Look with: ls -l": "当前用户有权读取吗？请用 ls -l 查看。",
    "{path} cannot be read: {reason}": "无法读取 {path}：{reason}",
    "{file}: {key} is missing": "{file}：缺少 {key}",
    "{file}: {key} is {value}, not a whole number from 1 to {high}": (
        "{file}：{key} 的值是 {value}，应为 1 到 {high} 的整数"
    ),
    "{file}: {key} is {value}, not a number above 0 and up to 1": (
        "{file}：{key} 的值是 {value}，应为大于 0 且不超过 1 的数"
    ),
    "{file}: {key} is {value}, not a number above 0 and below {high}": (
        "{file}：{key} 的值是 {value}，应为大于 0 且小于 {high} 的数"
    ),
    "{file}: {key} is {value}, not true or false": "{file}：{key} 的值是 {value}，应为 true 或 false",
    "{file}: {key} is {value}, not a fraction": "{file}：{key} 的值是 {value}，应为带小数点的数",
    "{file}: {key} is {value}, not a text": "{file}：{key} 的值是 {value}，应为文字",
    "{file}: {key} is {value}, not a token's number": "{file}：{key} 的值是 {value}，应为 token 的编号",
    "{file}: {key} is {value}, not one of {known}": "{file}：{key} 的值是 {value}，应为 {known} 之一",
    "{file}: {key} is {value}, not one of {known} for each of the {layers} layers": (
        "{file}：{key} 的值是 {value}，应当为 {layers} 层中的每一层写明 {known} 之一"
    ),
    "{file}: {key} is {value}, not three whole numbers": "{file}：{key} 的值是 {value}，应为三个整数",
    "{file}: {key} is {value}; together they have to be {whole}": (
        "{file}：{key} 的值是 {value}，相加应为 {whole}"
    ),
    "{file}: {key} is {value}, which does not divide {whole}": (
        "{file}：{key} 的值是 {value}，不能整除 {whole}"
    ),
    "{file}: {key} is {value}, which no tokenizer has there": (
        "{file}：{key} 的值是 {value}，没有分词器在这里用这样的值"
    ),
    "Download the model's tokenizer again.": "请重新下载模型的分词器。",
    "{folder}: the weights have four bits, and config.json does not say so": (
        "{folder}：权重是 4 位的，而 config.json 没有写明"
    ),
    "{file}: {key} is {value}, not an object with keys": "{file}：{key} 的值是 {value}，应为含有键的对象",
    "{file}: {key} is {value}, which leaves a picture no token": (
        "{file}：{key} 的值是 {value}，图片将一个 token 也不剩"
    ),
    "This config.json is no published model's: download the model again, or mend the file.": (
        "这个 config.json 与任何已发布的模型都不符：请重新下载模型，或修正这个文件。"
    ),
}

FAMILIES = {
    "{architecture} in {file} is not an architecture that the launcher runs": (
        "{file} 中的架构 {architecture} 启动器不能运行"
    ),
    "It runs {known}. Take {instead}.": "可以运行的有：{known}。请改用 {instead}。",
    "{architecture} in {file} is served by LMDeploy, but the launcher has no family for it": (
        "{file} 中的架构 {architecture} LMDeploy 能运行，但启动器还没有它所属的模型族"
    ),
    "It runs {known}. Take {instead}, or write a family: docs/how-to/add-a-family.md.": (
        "可以运行的有：{known}。请改用 {instead}，或自己写一个模型族：docs/how-to/add-a-family.md。"
    ),
    "{architecture} in {file} needs code that comes with the checkpoint, which the launcher never runs": (
        "{file} 中的架构 {architecture} 需要运行模型自带的代码，启动器从不运行这种代码"
    ),
    "{file} is that of no model to talk to: {architecture} judges answers or drafts for another model": (
        "{file} 不是对话模型的：{architecture} 用来评判回答，或替别的模型起草"
    ),
    "{file} is that of {model} ({architecture}), which LMDeploy 0.18 no longer serves; older releases did": (
        "{file} 是 {model}（{architecture}）的，LMDeploy 0.18 已不再支持它，旧版本支持"
    ),
    "{file} is that of {model}, which the launcher does not run": "{file} 是 {model} 的，启动器不能运行它",
    "Take {instead}.": "请改用 {instead}。",
    "{file}: {architecture} of model_type {found} is not one that the launcher runs; it runs {known}": (
        "{file}：model_type 为 {found} 的 {architecture} 启动器不能运行，它能运行的是 {known}"
    ),
    "{architecture} in {file} was trained on the prompt form {form}, which the launcher cannot write": (
        "{file} 中的 {architecture} 是按提示词格式 {form} 训练的，启动器不会这种格式"
    ),
    "It can write {known}.": "它会的格式有：{known}。",
    "{name}: kind is vision, but {architecture} in {folder} reads text alone": (
        "{name}：预设写的是 kind: vision，但 {folder} 中的 {architecture} 只处理文字"
    ),
    "Write `kind: text` in the preset, or name a model for pictures in its sources.": (
        "请在预设中写 `kind: text`，或在 sources 中给出支持图片的模型。"
    ),
    "memory.max_picture_tokens is {wanted}, but every picture of this model takes {only} tokens": (
        "memory.max_picture_tokens 是 {wanted}，但这个模型的每张图片都占 {only} 个 token"
    ),
    "Write {only} or auto.": "请写 {only} 或 auto。",
    "memory.max_picture_tokens is {wanted}, but the smallest picture of this model takes {least}": (
        "memory.max_picture_tokens 是 {wanted}，但这个模型最小的图片也要占 {least} 个 token"
    ),
    "Write {least} or more, or auto.": "请写 {least} 或更大的数，或者写 auto。",
    "memory.max_tiles is {wanted}, but this model does not cut pictures into tiles": (
        "memory.max_tiles 是 {wanted}，但这个模型不把图片切成小块"
    ),
    "Write max_tiles: auto, and bound its pictures by max_picture_tokens, such as 1024.": (
        "请写 max_tiles: auto，并用 max_picture_tokens（例如 1024）限制图片大小。"
    ),
    "{file}: {key} is {found}; the launcher prepares this model's pictures with {value} alone": (
        "{file}：{key} 是 {found}；启动器只会按 {value} 处理这个模型的图片"
    ),
    "{file}: max_patches is {found}, but pictures may have {most} tiles here": (
        "{file}：max_patches 是 {found}，但这里一张图片最多可切 {most} 块"
    ),
    "Write `max_tiles: {found}` below `memory:` in the preset.": (
        "请在预设的 `memory:` 下写 `max_tiles: {found}`。"
    ),
    "Take the model as its makers published it.": "请使用作者发布的原版模型。",
    "{folder}: the tokenizer's chat template does not write a picture as {marks}": (
        "{folder}：分词器的对话模板没有把图片写成 {marks}"
    ),
    "{file}: {key} is {value}, not a list of layers": "{file}：{key} 是 {value}，不是层号的列表",
    "{architecture} in {folder} has no chat template: it is a base model, which goes on with a text"
    " and does not talk": ("{folder} 中的 {architecture} 没有对话模板：它是基座模型，只会续写文本，不会对话"),
    "Take the model's chat or instruct version.": "请改用该模型的对话（chat 或 instruct）版本。",
    "{name}: chat.template is {wanted}, but {architecture} in {folder} was trained on {own}": (
        "{name}：预设写的是 chat.template: {wanted}，但 {folder} 中的 {architecture} 是按 {own} 训练的"
    ),
    "Write `template: {own}` below `chat:` in the preset, or take the line out.": (
        "请把预设中 `chat:` 下改为 `template: {own}`，或删去这一行。"
    ),
}

MACHINE = {
    "The NVIDIA driver does not answer: {reason}": "NVIDIA 驱动没有响应：{reason}",
    "Type nvidia-smi: it should list the GPU. After a driver update the machine must be restarted.": (
        "请运行 nvidia-smi，应能列出 GPU。更新驱动后需要重启机器。"
    ),
    "The engine {engine} does not serve {architecture}.": "引擎 {engine} 不支持 {architecture}。",
    "{engine} has no kernels for {architecture} with {head} numbers in each head.": (
        "{engine} 没有适用于每个注意力头 {head} 维的 {architecture} 的内核。"
    ),
    "Set engine: to one of {served}.": "请把预设中的 engine: 设为 {served} 之一。",
    "dtype is bfloat16, and a card of compute capability {found} computes in float16 alone.": (
        "dtype 是 bfloat16，而计算能力为 {found} 的显卡只能用 float16 计算。"
    ),
    "Set dtype: auto in the preset.": "请把预设中的 dtype 设为 auto。",
    "{gpu} has compute capability {found}; LMDeploy needs {needed} or newer.": (
        "{gpu} 的计算能力是 {found}；LMDeploy 需要 {needed} 或更高。"
    ),
    "Set engine: transformers in the preset to run on the CPU, or take a newer GPU (2017 or later).": (
        "在预设中设置 engine: transformers 可在 CPU 上运行，或换用较新的 GPU（2017 年以后）。"
    ),
    "The NVIDIA driver speaks CUDA {found}; the installed PyTorch needs {needed}.": (
        "NVIDIA 驱动支持 CUDA {found}；已安装的 PyTorch 需要 {needed}。"
    ),
    "Update the NVIDIA driver to {driver} or newer, then start again.": (
        "请把 NVIDIA 驱动更新到 {driver} 或更新的版本，然后重新启动。"
    ),
    "The model does not fit {room:.2f} GiB: while its weights of {weights:.2f} GiB load, it takes {total:.2f} GiB.": (
        "模型放不进 {room:.2f} GiB：加载 {weights:.2f} GiB 的权重时，会占用 {total:.2f} GiB。"
    ),
    "The model does not fit {room:.2f} GiB: weights {weights:.2f}, CUDA and scratch {rest:.2f}, the smallest KV cache"
    " {cache:.2f}, together {total:.2f} GiB.": (
        "模型放不进 {room:.2f} GiB：权重 {weights:.2f}，CUDA 与临时空间 {rest:.2f}，"
        "最小的 KV 缓存 {cache:.2f}，共 {total:.2f} GiB。"
    ),
    "Raise memory.kv_cache_ratio to {enough_ratio:.2f}. {other}{way}": (
        "请把 memory.kv_cache_ratio 提高到 {enough_ratio:.2f}。{other}{way}"
    ),
    "Raise memory.gpu_budget_gib to {budget:.1f}. {other}{way}": (
        "请把 memory.gpu_budget_gib 提高到 {budget:.1f}。{other}{way}"
    ),
    "Set memory.kv_bits to 4. {other}{way}": "请把 memory.kv_bits 设为 4。{other}{way}",
    "Free memory on the card (nvidia-smi shows who holds it) until {needed:.1f} GiB are free, and let memory.gpu_budget_gib be no less. {other}{way}": (
        "请释放显存（nvidia-smi 显示谁在占用），直到空闲 {needed:.1f} GiB，且 memory.gpu_budget_gib 不小于此值。{other}{way}"
    ),
    "It takes a card with {needed:.1f} GiB free, and memory.gpu_budget_gib no less. {other}{way}": (
        "需要一张空闲 {needed:.1f} GiB 显存的显卡，且 memory.gpu_budget_gib 不小于此值。{other}{way}"
    ),
    "Or take a smaller model.": "或换用更小的模型。",
    "Or set engine: pytorch in the preset, which takes less.": "或在预设中设置 engine: pytorch，它占用更少。",
    "Or take its preset with weights of 4 bits:": "或改用它的 4 位权重预设：",
    "Or set engine: pytorch in the preset, or take its preset with weights of 4 bits:": (
        "或在预设中设置 engine: pytorch，或改用它的 4 位权重预设："
    ),
    "Or give its weights 4 bits; type:": "或把它的权重改成 4 位，请运行：",
    "Or set engine: pytorch in the preset, or give its weights 4 bits; type:": (
        "或在预设中设置 engine: pytorch，或把它的权重改成 4 位，请运行："
    ),
    "The model reads at most {session} tokens: the smallest picture or question with an answer takes {needed}.": (
        "这个模型最多读 {session} 个 token，而最小的图片或问题加上回答需要 {needed}。"
    ),
    "Take another model.": "请换用其他模型。",
    "A session of {session} tokens is too short: the smallest picture or question with an answer takes {needed}.": (
        "{session} 个 token 的会话太短：最小的图片或问题加上回答需要 {needed}。"
    ),
    "Set memory.session_tokens to auto, or to {needed} or more.": (
        "请把 memory.session_tokens 设为 auto，或设为 {needed} 以上。"
    ),
    "The KV cache is too small: ratio {ratio:.3g} gives it {share:.2f} GiB, one question with its answer"
    " takes {cache:.2f} GiB.": (
        "KV 缓存太小：比例 {ratio:.3g} 只有 {share:.2f} GiB，一问一答需要 {cache:.2f} GiB。"
    ),
}

READINESS = {
    "{name} is not on this machine, and without an NVIDIA GPU it will be slow. Looked for it at {places}": (
        "{name} 不在这台机器上，而且没有 NVIDIA GPU，运行会很慢。找过这些地方：{places}"
    ),
    "{source} ({reason})": "{source}（{reason}）",
    "holds no {file}": "其中没有 {file}",
    "only a part was downloaded": "只下载了一部分",
    "not built in; these are: {names}": "不是内置模型；内置的有：{names}",
    "there is no other preset {name} to make it of": "没有可以用来制作它的预设 {name}",
    "{name} is not on this machine. Looked for it at {places}": (
        "{name} 不在这台机器上。找过这些地方：{places}"
    ),
    "To download it, type: {command}": "要下载它，请运行：{command}",
    "Put it there.": "请把它放到那里。",
    "Correct the preset's sources.": "请更正预设的 sources。",
    "{name} needs an NVIDIA GPU, and this machine has none; the model is not here either": (
        "{name} 需要 NVIDIA GPU，这台机器没有；模型文件也不在这里"
    ),
    "On a machine with a GPU, type: {command}": "请在有 GPU 的机器上运行：{command}",
    "{name} needs an NVIDIA GPU, and this machine has none": "{name} 需要 NVIDIA GPU，这台机器没有",
    "{name} is for GPU {wanted}, and this machine has no NVIDIA GPU that can be used": (
        "{name} 指定在 GPU {wanted} 上运行，而这台机器没有可用的 NVIDIA GPU"
    ),
    "Leave `gpu` out of the preset to run it wherever it can. nvidia-smi lists GPUs.": (
        "从预设中去掉 `gpu`，模型便可在任何能运行的地方运行。nvidia-smi 会列出 GPU。"
    ),
    "{name} is for GPU {wanted}, and there is none such, or CUDA_VISIBLE_DEVICES hides it": (
        "{name} 指定在 GPU {wanted} 上运行，但没有这块显卡，或者它被 CUDA_VISIBLE_DEVICES 隐藏了"
    ),
    "Write one of these for `gpu` in the preset: {gpus}; or leave it out for any of them.": (
        "请在预设的 `gpu` 中填写其中之一：{gpus}；不填则任选一块。"
    ),
    "Start the launcher on a machine with a GPU; nvidia-smi lists it there.": (
        "请在有 GPU 的机器上启动（那里 nvidia-smi 能列出 GPU）。"
    ),
    "{name} needs packages that are not installed: {packages}": "{name} 需要的软件包没有安装：{packages}",
    "Type: {command}": "请运行：{command}",
    "{name} cannot be used: {kind}: {reason}": "{name} 无法使用：{kind}：{reason}",
    "This is a defect of the launcher; please report it.": "这是本程序的缺陷，请报告。",
    "LMDeploy cannot run {architecture} yet": "LMDeploy 暂时不能运行 {architecture}",
    "Set engine: transformers in the preset.": "请在预设中设置 engine: transformers。",
    "{name} needs about {needed:.1f} GiB of memory on the CPU; {free:.1f} of {total:.1f} GiB are free": (
        "{name} 在 CPU 上运行约需 {needed:.1f} GiB 内存；{total:.1f} GiB 中空闲 {free:.1f} GiB"
    ),
    "Close other programs, or start the launcher on a machine with a GPU.": (
        "请关闭其他程序，或在有 GPU 的机器上启动。"
    ),
}

ENGINES = {
    "{engine} needs a memory plan; {model} has none.": "{engine} 需要显存规划，{model} 没有。",
    "PyTorch finds no NVIDIA GPU that it can use here.": "PyTorch 在这里找不到可用的 NVIDIA GPU。",
    "Check with: nvidia-smi. To run on the CPU, set engine: transformers in the preset.": (
        "请用 nvidia-smi 检查。要在 CPU 上运行，请在预设中设置 engine: transformers。"
    ),
    "The GPU has {free:.2f} GiB free; the plan needs {needed:.2f} GiB.": (
        "GPU 空闲 {free:.2f} GiB，规划需要 {needed:.2f} GiB。"
    ),
    "{model} ran out of memory while loading: {error}": "{model} 加载时内存不足：{error}",
    "See who holds GPU memory with: nvidia-smi": "请用 nvidia-smi 查看谁占用了显存",
    "{model} is not loaded.": "{model} 没有加载。",
    "LMDeploy cannot be imported: {reason}": "无法导入 LMDeploy：{reason}",
    "Install it with: {command}": "请安装：{command}",
    "{model} did not load within {limit_s:.0f} s.": "{model} 没有在 {limit_s:.0f} 秒内加载完。",
    "Its log {log} says how far it came. Lower memory.session_tokens or free GPU memory, then try again.": (
        "日志 {log} 记录了进行到哪一步。请减小 memory.session_tokens 或释放显存，然后重试。"
    ),
    "The conversation has {characters:,} characters; this model's session of {session:,} tokens holds {limit:,} at the very most.": (
        "对话共有 {characters:,} 个字符；该模型的会话为 {session:,} 个 token，最多容纳 {limit:,} 个字符。"
    ),
    "The conversation takes {total} tokens; this model's session holds {session}, the answer included.": (
        "对话需要 {total} 个 token；这个模型的会话连同回答只能容纳 {session} 个。"
    ),
    "Clear the conversation or shorten the question.": "请清空对话或缩短问题。",
    "The model ended its answer without a word.": "模型没有说一个字就结束了回答。",
    "Ask again in other words.": "请换个说法再问。",
    "The engine stopped in the middle of the answer.": "引擎在回答中途停止了。",
    "Ask again: the model starts anew. The whole story is in its log: {log}": (
        "请再问一次，模型会重新启动。详细经过见它的日志：{log}"
    ),
    "LMDeploy could not prepare the question: {kind}: {reason}": "LMDeploy 无法处理这个问题：{kind}：{reason}",
    "Ask in other words. The whole story is in the model's log: {log}": (
        "请换个说法再问。详细经过见模型日志：{log}"
    ),
    "LMDeploy failed: {kind}: {reason}": "LMDeploy 失败：{kind}：{reason}",
    "The conversation takes {total} tokens, {pictures} of them for pictures; this model's session holds {session}, the answer"
    " included.": (
        "对话需要 {total} 个 token，其中图片 {pictures} 个；这个模型的会话连同回答只能容纳 {session} 个。"
    ),
    "Clear the conversation, send fewer or smaller pictures, or shorten the question.": (
        "请清空对话，减少或缩小图片，或缩短问题。"
    ),
    "The KV cache has no room left for this conversation beside the others.": (
        "KV 缓存中除了其他对话，已容不下这个对话。"
    ),
    "Wait for the other answers, or clear the conversation.": "请等其他回答结束，或清空对话。",
    "The conversation is too long for this model's session.": "对话超出了这个模型的会话长度。",
    "Clear the conversation.": "请清空对话。",
    "LMDeploy refuses the question: {reason}": "LMDeploy 拒绝了这个问题：{reason}",
    "Change the question or its options.": "请修改问题或设置。",
    "LMDeploy could not prepare the question or its pictures.": "LMDeploy 无法处理这个问题或图片。",
    "Try another picture.": "请换一张图片。",
    "LMDeploy confused this question with another one.": "LMDeploy 把这个问题与另一个混淆了。",
    "Ask again.": "请再问一次。",
    "The engine has stopped.": "引擎已停止。",
    "The engine failed while answering: {reason}": "引擎在回答时失败：{reason}",
    "The script failed: {text}": "脚本失败：{text}",
    "Ask something else.": "请问别的。",
    "The script has no command {command}.": "脚本没有命令 {command}。",
    "{device} has no memory left for {model}.": "{device} 没有足够的内存给 {model}。",
    "Close other programs that use it, choose a smaller model, or shorten the conversation.": (
        "请关闭占用它的其他程序，选择更小的模型，或缩短对话。"
    ),
    "Nothing is asked.": "没有提问。",
    "Type a question or an instruction.": "请输入问题或指令。",
    "The model is not loaded.": "模型没有加载。",
    "Ask again: the next question loads it.": "请再问一次：下一个问题会加载它。",
}

MODELS = {
    "{folder}: the tokenizer has no token {token}": "{folder}：分词器没有 token {token}",
    "Download tokenizer.model and tokenizer_config.json again.": (
        "请重新下载 tokenizer.model 和 tokenizer_config.json。"
    ),
    "{folder}: config.json cannot be used: {reason}": "{folder}：config.json 无法使用：{reason}",
    "Download the model again.": "请重新下载模型。",
    "{folder} holds quantised weights ({method}), which the transformers engine cannot run": (
        "{folder} 中是量化权重（{method}），transformers 引擎不能运行"
    ),
    "Use the unquantised checkpoint, or an NVIDIA GPU with engine: turbomind.": (
        "请使用未量化的模型，或在 NVIDIA GPU 上使用 engine: turbomind。"
    ),
    "Download tokenizer.model into the model's folder again.": "请把 tokenizer.model 重新下载到模型文件夹。",
    "{path}: token {name} has id {found}, tokenizer_config.json says {expected}": (
        "{path}：token {name} 的编号是 {found}，而 tokenizer_config.json 中是 {expected}"
    ),
    "tokenizer.model and tokenizer_config.json are not of the same model; download both again.": (
        "tokenizer.model 与 tokenizer_config.json 不属于同一个模型，请重新下载二者。"
    ),
    "This InternVL checkpoint has a language model of type {model_type}; only {supported} are known": (
        "这个 InternVL 模型的语言模型类型是 {model_type}，这里只认识 {supported}"
    ),
    "Use an InternVL model whose language model is InternLM2, Qwen2, Qwen2.5 or Qwen3.": (
        "请使用语言模型为 InternLM2、Qwen2、Qwen2.5 或 Qwen3 的 InternVL 模型。"
    ),
    "{file}: {key} is {value}; LMDeploy looks there for one of {known}": (
        "{file}：{key} 是 {value}；LMDeploy 在这里查找 {known} 之一"
    ),
    "{file}: {key} is {value}; InternVL runs with {only} alone": "{file}：{key} 是 {value}；InternVL 只能以 {only} 运行",
    "{file}: {key} is {value}, and vision_config.image_size is {size}; InternVL runs where both are"
    " the same": "{file}：{key} 是 {value}，而 vision_config.image_size 是 {size}；两者相同，InternVL 才能运行",
    "This model reads text only; the conversation has a picture": "这个模型只处理文字，而对话中有图片",
    "Take the picture out, or ask a model that reads pictures.": "请去掉图片，或换用支持图片的模型。",
    "{folder} holds no weights: neither {expected}": "{folder} 中没有权重：找不到 {expected}",
    "Download the model's weight files into this folder.": "请把模型的权重文件下载到这个文件夹。",
    "The file is damaged or not fully downloaded; download it again.": "文件已损坏或没有下载完，请重新下载。",
    "{folder}: tensor {name} is {found}, its config.json asks for {expected}": (
        "{folder}：张量 {name} 是 {found}，而 config.json 要求 {expected}"
    ),
    "Weights and config.json are not of the same model; download both again.": (
        "权重与 config.json 不属于同一个模型，请重新下载二者。"
    ),
    "Weights and config.json are not of the same model, or a file is missing; download both again.": (
        "权重与 config.json 不属于同一个模型，或缺少文件，请重新下载二者。"
    ),
    "{folder} is incomplete: {file}, which {index} names, is missing": (
        "{folder} 不完整：缺少 {index} 中列出的 {file}"
    ),
    "Download the missing file, or the whole model again.": "请下载缺少的文件，或重新下载整个模型。",
    "{file}: {key} is {value}; a Qwen3.5 looks into no inner layers of its tower": (
        "{file}：{key} 为 {value}；Qwen3.5 不使用视觉部分的中间层"
    ),
    "{file}: {key} is {value}, not one of {full} and {linear} for each of the {layers} layers": (
        "{file}：{key} 为 {value}，应当为 {layers} 层中的每一层写明 {full} 或 {linear}"
    ),
    "{file}: qkv_bias is {qkv} and bias {other}; on transformers both have to be the same": (
        "{file}：qkv_bias 为 {qkv}，bias 为 {other}；用 transformers 运行时两者必须相同"
    ),
    "On a machine with an NVIDIA GPU LMDeploy runs it: set engine to turbomind or pytorch.": (
        "在有 NVIDIA GPU 的机器上可由 LMDeploy 运行：请把 engine 设为 turbomind 或 pytorch。"
    ),
    "{folder} has no tensor {name}: it is no InternLM-XComposer2-VL checkpoint, or not a whole one": (
        "{folder} 中没有张量 {name}：它不是 InternLM-XComposer2-VL 模型，或不完整"
    ),
    "Download the checkpoint again.": "请重新下载模型。",
    "the prompt has {places} picture tokens but its pictures need {needed}": (
        "提示词中有 {places} 个图片 token，而图片需要 {needed} 个"
    ),
    "XComposer2 runs on one GPU; LMDeploy was given tp={tp}": (
        "XComposer2 只在一块 GPU 上运行，而 LMDeploy 的设置是 tp={tp}"
    ),
    "Use tp=1.": "请用 tp=1。",
    "tensor {name} is {found}; its config.json asks for {expected}": (
        "张量 {name} 是 {found}，而 config.json 要求 {expected}"
    ),
    "the checkpoint lacks {count} tensors that its config.json asks for: {names}": (
        "模型缺少 config.json 要求的 {count} 个张量：{names}"
    ),
    "{folder} lacks {count} tensors that its config.json asks for: {names}": (
        "{folder} 缺少 config.json 要求的 {count} 个张量：{names}"
    ),
    "{folder} holds {count} tensors that its config.json has no place for: {names}": (
        "{folder} 中有 {count} 个张量在 config.json 中没有位置：{names}"
    ),
    "{folder} leaves {count} parameters of the model unfilled: {names}": (
        "{folder} 没有填满模型的 {count} 个参数：{names}"
    ),
    "A file is missing or not of this model; download the checkpoint again.": (
        "缺少文件，或文件不属于这个模型，请重新下载。"
    ),
}

WORKERS = {
    "The answer grew beyond what is kept for a reader who does not read it.": (
        "回答无人读取，超出了保留的上限。"
    ),
    "{model}'s process said something that cannot be read, so it was ended: {reason}": (
        "{model} 的进程发来了无法读懂的消息，已被结束：{reason}"
    ),
    "{model} could not be loaded: the disk takes no more files: {error}": (
        "无法加载 {model}：磁盘已无法写入文件：{error}"
    ),
    "Make room, or name a folder on another disk for temporary files: export TMPDIR=/folder": (
        "请腾出空间，或指定另一块磁盘上的临时文件夹：export TMPDIR=/folder"
    ),
    "{model} stopped unexpectedly: its process ended with {exit}.": "{model} 意外停止：进程以 {exit} 结束。",
    "Ask again: it starts anew. Its log {log} ends:\n{last_lines}": (
        "请再问一次，它会重新启动。日志 {log} 的末尾：\n{last_lines}"
    ),
    "{model} could not be loaded: its process ended with {exit}.": "无法加载 {model}：进程以 {exit} 结束。",
    "Ending with SIGKILL often means that memory ran out. Its log {log} ends:\n{last_lines}": (
        "以 SIGKILL 结束通常表示内存耗尽。日志 {log} 的末尾：\n{last_lines}"
    ),
    "{model} did not respond for {seconds:.0f} s, so its process was ended.": (
        "{model} 有 {seconds:.0f} 秒没有响应，进程已被结束。"
    ),
    "{model} gave no answer a single word for {seconds:.0f} s, so its process was ended.": (
        "{model} 有 {seconds:.0f} 秒没有说一个字，进程已被结束。"
    ),
    "{model} could not be loaded: no progress for {seconds:.0f} s at {stage}.": (
        "无法加载 {model}：在“{stage}”阶段 {seconds:.0f} 秒没有进展。"
    ),
    "Try again. Its log {log} ends:\n{last_lines}": "请重试。日志 {log} 的末尾：\n{last_lines}",
    "No process could be started for {model}: {reason}": "无法为 {model} 启动进程：{reason}",
    "Free memory or processes on this machine, then try again.": "请释放这台机器的内存或进程，然后重试。",
    "The launcher lost {model}'s process: {reason}": "与 {model} 的进程失去联系：{reason}",
    "Try again. This is a defect of the launcher; please report it.": "请重试。这是本程序的缺陷，请报告。",
    "There is no model named {name}.": "没有名为 {name} 的模型。",
    "There is no tab named {name}.": "没有名为 {name} 的标签页。",
    "These are offered: {names}.": "可用的有：{names}。",
    "{name} was not uploaded to this page.": "{name} 不是上传到本页面的图片。",
    "Add the picture to the question again.": "请把图片重新添加到问题中。",
    "This question is being answered already.": "这个问题正在回答中。",
    "Wait for its answer, or stop it.": "请等待回答，或先停止它。",
    "The request cannot be read: {place} cannot be {value}.": "请求无法读取：{place} 不能是 {value}。",
    "Load the page anew, if it came from one: it may be of another version than the server.": (
        "如果请求来自页面，请重新加载页面：它的版本可能与服务器不同。"
    ),
    "The request cannot be read: {endpoint} takes {count} values, not {given}.": (
        "请求无法读取：{endpoint} 需要 {count} 个值，而不是 {given} 个。"
    ),
    "In order: {names}. {address} says more of them.": "依次为：{names}。{address} 有更多说明。",
    "{endpoint} has no parameter {name}.": "{endpoint} 没有参数 {name}。",
    "These are known: {names}.": "已知的有：{names}。",
    "There is no event {name} of {endpoint} to be read.": "{endpoint} 没有可读取的事件 {name}。",
    "Ask anew: an answer is read once, within {seconds} s of its question.": (
        "请重新提问：回答只能读取一次，且须在提问后 {seconds} 秒内开始。"
    ),
    "There is no endpoint named {name}.": "没有名为 {name} 的端点。",
    "The connection to the server was lost.": "与服务器的连接中断了。",
    "The question is still here; ask again once the launcher runs.": (
        "问题还在这里；等 launcher 重新运行后再问。"
    ),
    "These are offered: {names}. `{command}` says more of each.": (
        "可用的有：{names}。`{command}` 有更多说明。"
    ),
    "{model} was stopped before it was loaded.": "{model} 在加载完之前被停止了。",
    "Try again.": "请重试。",
    "The launcher is closing.": "程序正在关闭。",
    "Start it again, then ask again.": "请重新启动后再问。",
    "{model} was stopped.": "{model} 已被停止。",
    "{model} is busy: {count} questions are open.": "{model} 正忙：有 {count} 个问题在等待。",
    "Ask again later.": "请稍后再问。",
    "{model} failed while loading: {error}": "{model} 在加载时失败：{error}",
    "The whole story is in its log: {log}": "详细经过见它的日志：{log}",
    "The model lost its GPU while answering: {error}": "模型在回答时失去了 GPU：{error}",
    "Ask again: it starts anew. The whole story is in its log: {log}": (
        "请再问一次，它会重新启动。详细经过见它的日志：{log}"
    ),
    "{model} ran out of memory while loading: its process ended with {exit}.": (
        "{model} 加载时内存不足：进程以 {exit} 结束。"
    ),
    "See who holds GPU memory with nvidia-smi. Its log {log} ends:\n{last_lines}": (
        "请用 nvidia-smi 查看谁占用了显存。日志 {log} 的末尾：\n{last_lines}"
    ),
    "The engine broke: {text}": "引擎出了故障：{text}",
    "Ask again: it starts anew.": "请再问一次，它会重新启动。",
    "The model failed while answering: {error}": "模型在回答时失败：{error}",
    "The engine ended an answer without saying why.": "引擎没有说明原因就结束了回答。",
    "This is a defect; please report it.": "这是缺陷，请报告。",
}

MEASUREMENTS = {
    "The measurement's {name} stopped unexpectedly: its process ended with {exit}.": (
        "测量中的 {name} 意外停止：进程以 {exit} 结束。"
    ),
    "Measure again. Its log {log} ends:\n{last_lines}": "请重新测量。日志 {log} 的末尾：\n{last_lines}",
    "The process of the measured model has ended, or failed in a way that nobody foresaw.": (
        "被测模型的进程已结束，或以无人预料的方式失败。"
    ),
    "Measure again. Its log says why, in {folder}": "请重新测量。原因在它的日志里，位于 {folder}",
    "The page gave no answer: {said}": "页面没有给出回答：{said}",
    "Measure again.": "请重新测量。",
    "Of {count} questions {waiting} reached the page.": "{count} 个问题中有 {waiting} 个到达了页面。",
    "launcher serve ended before its page was there. It said:\n{said}": (
        "launcher serve 在页面就绪之前结束了。它的输出：\n{said}"
    ),
    "Type the same by hand: {command}": "请手动输入同样的命令：{command}",
    "{name} does not sleep when its turn comes: it is {state}, its process {process}": (
        "轮到 {name} 时它没有休眠：它的状态是 {state}，进程是 {process}"
    ),
    "Where all fit the GPU together, give them less of it, in GiB: --gpu-gib 8": (
        "如果它们能同时放进 GPU，请少给它们一些显存（GiB）：--gpu-gib 8"
    ),
    "An answer did not come back as it was said: it ends with {end}": (
        "收到的回答与说出的不一致：它的结尾是 {end}"
    ),
}

ERRORS = {
    **PICTURES,
    **FOLDERS,
    **CHECKPOINTS,
    **FAMILIES,
    **MACHINE,
    **READINESS,
    **ENGINES,
    **MODELS,
    **WORKERS,
    **MEASUREMENTS,
}
