// A mixture prior; an `element` is the number of a Gaussian × LATENT + unit.

fn prior_log_variance(member: u32, element: u32) -> f32 {
    let place = member * PARAMETERS + PRIOR_LOG_VARIANCES + element;
    return clamp(parameters[place], PRIOR_LOWEST_LOG_VARIANCE, PRIOR_HIGHEST_LOG_VARIANCE);
}

fn prior_mean(member: u32, element: u32) -> f32 {
    return parameters[member * PARAMETERS + PRIOR_MEANS + element];
}
