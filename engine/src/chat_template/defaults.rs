//! Templates for models whose file has none, by the marks that their vocabulary holds.

/// A template, and the word by which it is reported.
pub(crate) struct Default {
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
}

/// `<|im_start|>` and `<|im_end|>` around each message.
const CHATML: Default = Default {
    name: "chatml_template",
    source: "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + \
             '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
};
/// Llama 3's headers.
const LLAMA3: Default = Default {
    name: "llama3_template",
    source: "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + \
             '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}\
             {% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
};
/// Gemma's turns. It knows no system.
const GEMMA: Default = Default {
    name: "gemma_template",
    source: "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}\
             {{ raise_exception('System role not supported') }}{% endif %}{{ '<start_of_turn>' + \
             ('model' if message['role'] == 'assistant' else message['role']) + '\n' + message['content'] | trim + \
             '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}",
};
/// Llama 2's `[INST]`: plain letters, which need no token of their own.
const LLAMA2: Default = Default {
    name: "llama2_template",
    source: "{% set system = namespace(text='') %}{% for message in messages %}\
             {% if message['role'] == 'system' %}{% set system.text = '<<SYS>>\n' + message['content'] + \
             '\n<</SYS>>\n\n' %}{% elif message['role'] == 'user' %}{{ bos_token + '[INST] ' + system.text + \
             message['content'] | trim + ' [/INST]' }}{% set system.text = '' %}{% else %}{{ ' ' + \
             message['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}",
};

/// Chooses by what the vocabulary has.
pub(crate) fn default_for(has_token: impl Fn(&str) -> bool) -> &'static Default {
    if has_token("<|im_start|>") {
        &CHATML
    } else if has_token("<|start_header_id|>") {
        &LLAMA3
    } else if has_token("<start_of_turn>") {
        &GEMMA
    } else {
        &LLAMA2
    }
}
